/** What a client may ask for, of what and how often: the limits that the routes keep. */
import { Seats } from "./seats.ts";
import { UserRates } from "./user_rates.ts";

/** As the operator sets them. */
export interface LimitSettings {
  /** HTTP requests of a user. */
  readonly requestsPerSecond: number;
  /** Frames of a user, on all his sockets. */
  readonly framesPerSecond: number;
  readonly socketsPerUser: number;
  /** Of a JSON body. */
  readonly maxBodyBytes: number;
}

export interface RequestLimits {
  readonly requests: UserRates;
  readonly frames: UserRates;
  readonly sockets: Seats;
  readonly maxBodyBytes: number;
}

/** Counts from nothing. */
export function openLimits(settings: LimitSettings): RequestLimits {
  return {
    requests: new UserRates(settings.requestsPerSecond),
    frames: new UserRates(settings.framesPerSecond),
    sockets: new Seats(settings.socketsPerUser),
    maxBodyBytes: settings.maxBodyBytes,
  };
}

/** What a client may ask for, of what and how often: the limits that the routes keep. */
import { AtOnce } from "./at_once.ts";
import { Seats } from "./seats.ts";
import { Shares } from "./shares.ts";
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
  /** Pulls on sockets, whose answers are in memory until they are read. */
  readonly pulls: AtOnce;
  /** Pulls over HTTP, pages and streams of rows, from when they are begun until they are read. */
  readonly answers: AtOnce;
  /** The same of backups and diagnostics, each of which takes a second of CPU and more. */
  readonly backups: AtOnce;
  /** The same of files: a page of notes shows many. */
  readonly files: AtOnce;
  /** The same of lists: of a user's graphs, of a graph's members. */
  readonly lists: AtOnce;
  /**
   * Of this process's memory, for what a user has sent: bodies until their answer, frames until they are
   * dealt with. Else twenty bodies that stop just before their end hold two gigabytes.
   */
  readonly unanswered: Shares;
  /** Requests with a body: each that is on its way takes memory, however short it is. */
  readonly bodies: Seats;
  /**
   * The same for answers on sockets that nobody has read yet: those of 48 devices that slept held a
   * gigabyte. One alone may be of any length, as an entry may.
   */
  readonly unread: Shares;
  readonly maxBodyBytes: number;
}

/** So many of a user's devices get what they missed at once; one that reads slowly takes long. */
const PULLS_AT_ONCE = 4;

/** As many download graphs at once: each takes some MB until it is read. */
const ANSWERS_AT_ONCE = 4;

const BACKUPS_AT_ONCE = 1;

/** Of a file that nobody reads a MiB is in memory. */
const FILES_AT_ONCE = 32;

/** Of 500 graphs with long names one has 3 MB and takes 50 ms, as a page 200: 1200 at once ended the process. */
const LISTS_AT_ONCE = 2;

/** Each takes 200 KB while Deno (2.9) waits for more of it: 2000 that stopped behind a byte held 400 MB. */
const BODIES_PER_USER = 256;

/** Two of the longest bodies, as a user has more than one device; and two of the longest frames. */
const BODIES_AT_ONCE = 2;
const MIN_SHARE_BYTES = 128 * 1024 * 1024;

/** Devices that fell asleep while they got what they had missed. */
const UNREAD_BYTES = 128 * 1024 * 1024;

/** Counts from nothing. */
export function openLimits(settings: LimitSettings): RequestLimits {
  return {
    requests: new UserRates(settings.requestsPerSecond),
    frames: new UserRates(settings.framesPerSecond),
    sockets: new Seats(settings.socketsPerUser),
    pulls: new AtOnce(PULLS_AT_ONCE),
    answers: new AtOnce(ANSWERS_AT_ONCE),
    backups: new AtOnce(BACKUPS_AT_ONCE),
    files: new AtOnce(FILES_AT_ONCE),
    lists: new AtOnce(LISTS_AT_ONCE),
    unanswered: new Shares(Math.max(BODIES_AT_ONCE * settings.maxBodyBytes, MIN_SHARE_BYTES)),
    bodies: new Seats(BODIES_PER_USER),
    unread: new Shares(UNREAD_BYTES, true),
    maxBodyBytes: settings.maxBodyBytes,
  };
}

/**
 * Who is at one graph, at sockets here and elsewhere, and what its guests are told of it. Knows neither
 * the store nor the clock: presence.ts keeps both together.
 */
import type { Present } from "../kv/present.ts";
import { profileOf } from "../kv/users.ts";
import type { GraphId, UserId } from "../protocol/ids.ts";
import type { Editing, OnlineUser, OnlineUsers } from "../protocol/today/presence.ts";
import type { CloseReason } from "./close_codes.ts";
import type { Person } from "./users.ts";

/** A socket of a graph: a connection (connection.ts). No method may throw. */
export interface Guest {
  /**
   * Takes news of who is here: a message's text.
   *
   * @param all tells the whole of it as it is when it is called: for one who can't take news now
   */
  people(news: string, all: () => string): void;
  /** Ends the socket at once. */
  close(reason: CloseReason): void;
}

interface Seat {
  readonly person: Person;
  /** It has said something in today's dialect: the seed's client throws on news of people. */
  readonly today: boolean;
  readonly editing: string | undefined;
  /** When that was said, in ms since the epoch; 0: never. */
  readonly at: number;
}

export class Room {
  readonly #seats = new Map<Guest, Seat>();
  #others: readonly Present[] = [];
  /** What the guests were told last. */
  #shown: ReadonlyMap<UserId, OnlineUser> = new Map();
  /** Who has said since then what his user edits, the last of each user. */
  #spoke = new Map<UserId, Guest>();

  constructor(readonly graph: GraphId) {}

  seat(guest: Guest, person: Person): void {
    this.#seats.set(guest, { person, today: false, editing: undefined, at: 0 });
  }

  unseat(guest: Guest): void {
    this.#seats.delete(guest);
  }

  /** From now on it is told who is here; what the others were told last, at once. */
  speaksToday(guest: Guest): void {
    const seat = this.#seats.get(guest);
    if (seat === undefined || seat.today) return;
    this.#seats.set(guest, { ...seat, today: true });
    guest.people(this.#all(), () => this.#all());
  }

  /** @param at ms since the epoch */
  edit(guest: Guest, editing: string | undefined, at: number): void {
    const seat = this.#seats.get(guest);
    if (seat === undefined) return;
    this.#seats.set(guest, { ...seat, editing, at });
    this.#spoke.set(seat.person.id, guest);
  }

  /** Who is at sockets elsewhere, in the place of who was. */
  setOthers(others: readonly Present[]): void {
    this.#others = others;
  }

  /** Tells what has changed since the last time: who is here, or else what someone edits. */
  tell(): void {
    const [before, spoke] = [this.#shown, this.#spoke];
    this.#shown = onlineOf([...this.here(), ...this.#others]);
    this.#spoke = new Map();
    if (!haveSameUsers(before, this.#shown)) return this.#send(this.#all());
    for (const [id, user] of this.#shown) {
      const editing = user["editing-block-uuid"];
      if (before.get(id)?.["editing-block-uuid"] === editing) continue;
      const news: Editing = {
        "type": "presence",
        "user-id": id,
        "editing-block-uuid": editing ?? null,
      };
      this.#send(JSON.stringify(news), spoke.get(id));
    }
  }

  /** How many users are told of at most, each to every guest once. */
  get toTell(): number {
    return this.#seats.size * (this.#seats.size + this.#others.length);
  }

  /** Who is at sockets here, each user once, by their ids. */
  here(): readonly Present[] {
    const users = [...this.#seats.values()].map(({ person, editing, at }) => ({
      id: person.id,
      ...profileOf(person),
      ...editing !== undefined && { editing },
      at,
    }));
    return [...latest(users).values()].toSorted((a, b) => a.id < b.id ? -1 : 1);
  }

  /** Ends all sockets of a user here. */
  putOut(user: UserId, reason: CloseReason): void {
    for (const [guest, { person }] of [...this.#seats]) {
      if (person.id === user) guest.close(reason);
    }
  }

  /** Whether there is anyone here who wants to know who is elsewhere. */
  get isAsking(): boolean {
    return [...this.#seats.values()].some(({ today }) => today);
  }

  #all(): string {
    const news: OnlineUsers = { "type": "online-users", "online-users": [...this.#shown.values()] };
    return JSON.stringify(news);
  }

  /** @param sender knows it */
  #send(news: string, sender?: Guest): void {
    for (const [guest, { today }] of [...this.#seats]) {
      if (today && guest !== sender) guest.people(news, () => this.#all());
    }
  }
}

/** Each user once: as at the socket that said last what he edits. */
function latest(users: readonly Present[]): ReadonlyMap<UserId, Present> {
  const byId = new Map<UserId, Present>();
  for (const user of users) {
    const other = byId.get(user.id);
    if (other === undefined || other.at < user.at) byId.set(user.id, user);
  }
  return byId;
}

function onlineOf(users: readonly Present[]): ReadonlyMap<UserId, OnlineUser> {
  const online = new Map<UserId, OnlineUser>();
  for (const user of latest(users).values()) {
    online.set(user.id, {
      "user-id": user.id,
      ...profileOf(user),
      ...user.editing !== undefined && { "editing-block-uuid": user.editing },
    });
  }
  return online;
}

function haveSameUsers(
  a: ReadonlyMap<UserId, OnlineUser>,
  b: ReadonlyMap<UserId, OnlineUser>,
): boolean {
  return a.size === b.size && [...a].every(([id, user]) => {
    const other = b.get(id);
    return other !== undefined && other.email === user.email &&
      other.username === user.username && other.name === user.name;
  });
}

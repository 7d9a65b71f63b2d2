/**
 * Who is at which graph, over all instances, and who may no longer be. Each instance writes into the
 * store who is at its sockets, and reads the others' when there is news of them (fanout.ts). News is
 * for speed: every graph is looked at again once in a while, so one that is lost costs time only.
 *
 * Cost: a commit for each graph whose people change, at most one in `quietMs`; one for the lease in
 * `tickMs`; for each piece of news a list and a read of who may stay. A graph at which only its creator
 * is costs no such read.
 */
import { CIRCLE_USERS, readCircle } from "../kv/members.ts";
import { endLease, readPresent, renewLease, writePresent } from "../kv/present.ts";
import type { GraphId, UserId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { closeReason } from "./close_codes.ts";
import type { Fanout } from "./fanout.ts";
import type { PeopleNews } from "./news.ts";
import { Paced } from "./paced.ts";
import { settledWithin } from "./patience.ts";
import { type Guest, Room } from "./room.ts";
import { untilSettled } from "./settle.ts";
import type { Person } from "./users.ts";

export interface PresenceTimes {
  /** Between two writes of one graph. */
  readonly quietMs: number;
  /** What an instance said counts for so long after it last wrote. */
  readonly leaseMs: number;
  /** Leases are renewed and graphs looked at this often: less than half of a lease. */
  readonly tickMs: number;
  /** What hasn't ended by then holds up nothing else of its graph. */
  readonly patienceMs: number;
}

export const PRESENCE_TIMES: PresenceTimes = Object.freeze({
  quietMs: 1000,
  leaseMs: 60_000,
  tickMs: 20_000,
  patienceMs: 10_000,
});

export interface PresenceDeps {
  readonly kv: Deno.Kv;
  readonly fanout: Pick<Fanout, "people" | "onPeople">;
  /** Ms since the epoch. */
  readonly now: () => number;
  readonly times?: PresenceTimes;
}

const log = loggerFor("presence");

/** A room, and what the store knows of it. */
interface Post {
  readonly room: Room;
  /** Who is here as it was written last, as JSON; `undefined`: it has to be written again. */
  written: string | undefined;
  readonly writing: Paced;
  readonly telling: Paced;
  /** The last news that was heard, or made. */
  version: string | undefined;
  /** Whether there will be a look at the store that has not begun. */
  looking: boolean;
  /** Of this graph one thing is done after the other. Never rejects. */
  work: Promise<void>;
  /** He always may. */
  creator: UserId | undefined;
}

const NOBODY = "[]";

/**
 * Whoever comes is told of with all who are here, to all of them: a message of N users N times. A room
 * is told of some 10 MB a second of that, at about 100 bytes a user; ten or fewer at once.
 */
const USERS_TOLD_PER_MS = 100;

export class Presence {
  readonly #deps: PresenceDeps;
  readonly #times: PresenceTimes;
  readonly #instance = crypto.randomUUID();
  /** Those with someone here, or of which the store doesn't know yet that nobody is. */
  readonly #posts = new Map<GraphId, Post>();
  readonly #postOf = new WeakMap<Guest, Post>();
  /** Whether this instance has had one. */
  #hasLease = false;
  #ticks: ReturnType<typeof setInterval> | undefined;
  /** Of the lease: one that is under way would bring back what has been ended. */
  #renewing: Promise<void> = Promise.resolve();
  #closed = false;

  /** Hears news from now on; `close` must be called. */
  constructor(deps: PresenceDeps) {
    this.#deps = deps;
    this.#times = deps.times ?? PRESENCE_TIMES;
    deps.fanout.onPeople((news) => this.#heard(news));
  }

  /**
   * Someone has opened a socket of the graph. Who lost his access while it opened is put out at once.
   *
   * @returns to be called when it has closed; idempotent
   */
  enter(graph: GraphId, person: Person, guest: Guest): () => void {
    const post = this.#posts.get(graph) ?? this.#open(graph);
    this.#postOf.set(guest, post);
    post.room.seat(guest, person);
    this.#look(post);
    this.#changed(post);
    return () => {
      post.room.unseat(guest);
      this.#changed(post);
    };
  }

  /** A guest has shown that it is of today: it is told who is here from now on. */
  speaksToday(guest: Guest): void {
    this.#postOf.get(guest)?.room.speaksToday(guest);
  }

  /** A guest has said in today's dialect which block its user edits. */
  edit(guest: Guest, block: string | undefined): void {
    const post = this.#postOf.get(guest);
    if (post === undefined) return;
    post.room.edit(guest, block, this.#deps.now());
    this.#changed(post);
    // What it edits it isn't told, but in the list that it gets now.
    post.room.speaksToday(guest);
  }

  /** Ends the sockets here of who may no longer use the graph, and tells the other instances. */
  async removed(graph: GraphId, version: string): Promise<void> {
    const post = this.#posts.get(graph);
    if (post !== undefined) {
      post.version = version;
      await this.#do(post, () => this.#putOut(post));
    }
    this.#deps.fanout.people(graph, version);
  }

  /** Says of all graphs that nobody is here any more, and ends the lease. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticks);
    const posts = [...this.#posts.values()];
    await Promise.all(posts.map((post) => {
      rest(post);
      return this.#do(post, () => this.#write(post));
    }));
    await this.#renewing;
    if (!this.#hasLease) return;
    try {
      await endLease(this.#deps.kv, this.#instance);
    } catch (cause) {
      // It lapses by itself; a store that is away keeps no process from leaving.
      log.warn("Cannot end the lease of this instance", { cause });
    }
  }

  #open(graph: GraphId): Post {
    const room = new Room(graph);
    const post: Post = {
      room,
      written: NOBODY,
      writing: new Paced(
        () => void this.#do(post, () => this.#write(post)),
        () => this.#times.quietMs,
      ),
      telling: new Paced(() => room.tell(), () => Math.floor(room.toTell / USERS_TOLD_PER_MS)),
      version: undefined,
      looking: false,
      work: Promise.resolve(),
      creator: undefined,
    };
    this.#posts.set(graph, post);
    if (this.#closed) rest(post);
    else this.#ticks ??= setInterval(() => void this.#tick(), this.#times.tickMs);
    return post;
  }

  #heard({ graph, version }: PeopleNews): void {
    const post = this.#posts.get(graph);
    // Several carriers may bring the same news, and a watch also brings our own.
    if (post === undefined || post.version === version) return;
    post.version = version;
    this.#look(post);
  }

  /** Who is here, or what they edit. */
  #changed(post: Post): void {
    post.telling.soon();
    post.writing.soon();
  }

  async #write(post: Post): Promise<void> {
    const { room } = post;
    // It was forgotten while this waited: the graph has another post by now, or none.
    if (this.#posts.get(room.graph) !== post) return;
    const users = this.#closed ? [] : room.here();
    const text = JSON.stringify(users);
    if (text !== post.written) {
      const lease = { instance: this.#instance, until: this.#deps.now() + this.#times.leaseMs };
      const outcome = await untilSettled(`write who is at ${room.graph}`, async () => {
        const outcome = await writePresent(this.#deps.kv, room.graph, lease, users);
        const settled = outcome.kind === "gone" || outcome.kind === "committed";
        return settled ? { done: outcome } : { again: outcome };
      });
      if (outcome.kind === "committed") {
        this.#renewed(outcome.hadLease);
        if (outcome.before !== null && outcome.before !== post.version) this.#look(post);
        post.version = outcome.versionstamp;
        this.#deps.fanout.people(room.graph, post.version);
      }
      post.written = text;
    }
    if (post.written === NOBODY && (this.#closed || room.here().length === 0)) {
      this.#posts.delete(room.graph);
      rest(post);
    }
  }

  #look(post: Post): void {
    if (post.looking) return;
    post.looking = true;
    void this.#do(post, async () => {
      post.looking = false;
      if (this.#posts.get(post.room.graph) !== post) return;
      await this.#putOut(post);
      const { kv, now } = this.#deps;
      post.room.setOthers(await readPresent(kv, post.room.graph, this.#instance, now()));
      post.telling.soon();
    });
  }

  async #putOut(post: Post): Promise<void> {
    const { room } = post;
    const users = room.here().map(({ id }) => id).filter((id) => id !== post.creator);
    for (let start = 0; start < users.length; start += CIRCLE_USERS) {
      const some = users.slice(start, start + CIRCLE_USERS);
      const circle = await readCircle(this.#deps.kv, room.graph, some);
      // All sockets of a graph that was deleted are closed by news of that.
      if (circle === undefined) return;
      post.creator = circle.meta.owner;
      for (const { user, role } of circle.standings) {
        if (role === undefined) room.putOut(user, closeReason.removed);
      }
    }
  }

  async #tick(): Promise<void> {
    if (this.#posts.size === 0) return;
    await (this.#renewing = this.#renew());
    for (const post of [...this.#posts.values()]) {
      post.writing.soon();
      const hasOthers = post.room.here().some(({ id }) => id !== post.creator);
      if (post.room.isAsking || hasOthers) this.#look(post);
      // One graph after the other: thousands must not ask the store at once.
      await post.work;
    }
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    try {
      const until = this.#deps.now() + this.#times.leaseMs;
      this.#renewed(await renewLease(this.#deps.kv, { instance: this.#instance, until }));
    } catch (cause) {
      log.warn("Cannot renew the lease of this instance", { cause });
    }
  }

  /** What an instance said whose lease was over may have been swept with it: all is written again. */
  #renewed(hadLease: boolean): void {
    if (this.#hasLease && !hadLease) {
      for (const post of this.#posts.values()) post.written = undefined;
    }
    this.#hasLease = true;
  }

  #do(post: Post, work: () => Promise<void>): Promise<void> {
    const done = post.work.then(() => settledWithin(this.#times.patienceMs, work()));
    post.work = done.catch((cause) => {
      log.error("Cannot tell who is at {graph}", { graph: post.room.graph, cause });
    });
    return post.work;
  }
}

function rest({ writing, telling }: Post): void {
  writing.stop();
  telling.stop();
}

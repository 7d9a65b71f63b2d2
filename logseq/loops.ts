/** Loops in a graph of entities: its strongly connected components, as Tarjan finds them. */

/** From an entity to those that one of its attributes names. */
export type Edges = ReadonlyMap<number, readonly number[]>;

/** An entity on the way down, and how many of its edges were gone along. */
interface Visit {
  readonly e: number;
  readonly to: readonly number[];
  gone: number;
}

/**
 * Whether one of these entities comes back to itself. Each edge is gone along once, however many ask.
 *
 * @param edges of all entities that the way from these comes to; none for one that leads nowhere
 */
export function isAnyOnLoop(entities: ReadonlySet<number>, edges: Edges): boolean {
  const search = new Search(entities, edges);
  return [...entities].some((e) => search.from(e));
}

class Search {
  readonly #wanted: ReadonlySet<number>;
  readonly #edges: Edges;
  /** In which order they were come upon. */
  readonly #order = new Map<number, number>();
  /** The earliest that they are known to lead back to. */
  readonly #earliest = new Map<number, number>();
  /** Those whose component isn't known yet. */
  readonly #open: number[] = [];
  readonly #isOpen = new Set<number>();

  constructor(wanted: ReadonlySet<number>, edges: Edges) {
    this.#wanted = wanted;
    this.#edges = edges;
  }

  from(start: number): boolean {
    if (this.#order.has(start)) return false;
    const way = [this.#visit(start)];
    for (let visit = way.at(-1); visit !== undefined; visit = way.at(-1)) {
      const { e, to } = visit;
      const next = to[visit.gone++];
      if (next === undefined) {
        way.pop();
        const above = way.at(-1);
        if (above !== undefined) this.#leadsTo(above.e, this.#earliest.get(e));
        if (this.#isLoop(this.#component(e))) return true;
      } else if (!this.#order.has(next)) way.push(this.#visit(next));
      else if (this.#isOpen.has(next)) this.#leadsTo(e, this.#order.get(next));
    }
    return false;
  }

  #visit(e: number): Visit {
    this.#order.set(e, this.#order.size);
    this.#earliest.set(e, this.#order.size - 1);
    this.#open.push(e);
    this.#isOpen.add(e);
    return { e, to: this.#edges.get(e) ?? [], gone: 0 };
  }

  #leadsTo(e: number, order: number | undefined): void {
    const known = this.#earliest.get(e);
    if (known !== undefined && order !== undefined && order < known) this.#earliest.set(e, order);
  }

  /** The component that ends with an entity; empty where it goes on above. */
  #component(e: number): readonly number[] {
    if (this.#earliest.get(e) !== this.#order.get(e)) return [];
    const members = this.#open.splice(this.#open.lastIndexOf(e));
    for (const member of members) this.#isOpen.delete(member);
    return members;
  }

  #isLoop(component: readonly number[]): boolean {
    const [first = NaN, ...others] = component;
    const isLoop = others.length > 0 || this.#edges.get(first)?.includes(first) === true;
    return isLoop && component.some((e) => this.#wanted.has(e));
  }
}

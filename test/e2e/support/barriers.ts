// Holds the library at a named point until the test releases it.

type Point = { readonly topic: string; readonly messageId: string };

/** A point that holds once. */
export interface Barrier {
  /** Resolves when the library reaches it. */
  readonly reached: Promise<Point>;
  release(): void;
}

interface Pending {
  readonly name: string;
  arrive(point: Point): Promise<void>;
}

export class Barriers {
  private readonly pending = new Set<Pending>();

  /** The `checkpoint` option of the applications. */
  readonly checkpoint = (point: string, about: Point): Promise<void> | undefined => {
    const name = `${point}:${about.topic}`;
    const found = [...this.pending].find((pending) => pending.name === name);
    if (found === undefined) return undefined;
    this.pending.delete(found);
    return found.arrive(about);
  };

  /** Holds the next call that reaches `point` for `topic`. */
  hold(point: string, topic: string): Barrier {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = (_: Point): void => {};
    const reached = new Promise<Point>((resolve) => {
      arrived = resolve;
    });
    this.pending.add({
      name: `${point}:${topic}`,
      arrive: (about) => {
        arrived(about);
        return released;
      },
    });
    return { reached, release };
  }
}

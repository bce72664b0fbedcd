// The queue for a message group, chosen like the server does (Guava `consistentHash` over Java's `String.hashCode`).

const MASK_64 = (1n << 64n) - 1n;

/** Java's `String.hashCode`: over UTF-16 units, signed 32 bits. */
export function javaHashCode(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}

/** The queue of a message group among `queues` queues. */
export function queueOfMessageGroup(messageGroup: string, queues: number): number {
  let state = BigInt.asUintN(64, BigInt(javaHashCode(messageGroup)));
  let candidate = 0;
  for (;;) {
    state = (2_862_933_555_777_941_757n * state + 1n) & MASK_64;
    const fraction = (Number(state >> 33n) + 1) / 2 ** 31;
    const next = Math.trunc((candidate + 1) / fraction);
    if (next < 0 || next >= queues) return candidate;
    candidate = next;
  }
}

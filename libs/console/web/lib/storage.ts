// What this browser keeps of a viewer's choices. Browsers may forbid it: then a choice holds until the page is left.

const PREFIX = 'rocketmq-console-';

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // See above.
  }
}

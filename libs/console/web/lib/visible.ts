// Characters that cannot be seen, or that turn the direction of others, are shown by their numbers: a key that looks like another one must not
// be another one. What is copied, searched and sent stays as it is.

import { options, type VNode } from 'preact';

/**
 * Controls other than tab and line ends, and what Unicode lets a display ignore: zero-width characters, fillers, marks of direction. A joiner or
 * a variation selector in an emoji is part of a picture.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
  /(?<!\p{Extended_Pictographic}\p{Emoji_Modifier}?)[\ufe0e\ufe0f](?!\u20e3)|(?<!\p{Emoji_Modifier}|\p{Extended_Pictographic}|\ufe0f)\u200d|\u200d(?!\p{Extended_Pictographic})|(?!\ufe0e|\ufe0f|\u200d)\p{Default_Ignorable_Code_Point}|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]/gu;

/** `pay\u200bment` as `pay⟨U+200B⟩ment`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, nameOf);
}

/** The names of those in a text, each once. */
export function hiddenIn(text: string): readonly string[] {
  return [...new Set(text.match(HIDDEN)?.map(nameOf))];
}

function nameOf(character: string): string {
  return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** Attributes that people read. */
const READ = ['title', 'aria-label', 'placeholder'] as const;

/** From now on, every text that is rendered is visible: whatever page shows it, and wherever it comes from. */
export function showHidden(): void {
  const inner = options.vnode;
  options.vnode = (vnode) => {
    makeVisible(vnode as VNode<unknown>);
    inner?.(vnode);
  };
}

function makeVisible(vnode: { type: unknown; props: unknown }): void {
  // Preact has a node of its own for each text, without a type.
  if (vnode.type === null && typeof vnode.props === 'string') vnode.props = visible(vnode.props);
  if (typeof vnode.type !== 'string') return;
  const props = vnode.props as Record<string, unknown>;
  for (const name of READ) {
    const value = props[name];
    if (typeof value === 'string') props[name] = visible(value);
  }
}

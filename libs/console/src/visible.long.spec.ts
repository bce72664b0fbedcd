// Characters that a page would not show, or that would turn what is beside them.

import { describe, expect, it } from '@jest/globals';
import { hiddenIn, visible } from '../web/lib/visible.js';

describe('what cannot be seen is shown by its number', () => {
  it.each([
    ['pay\u200bment', 'pay⟨U+200B⟩ment'],
    ['\u202ecod.tsoc\u202c', '⟨U+202E⟩cod.tsoc⟨U+202C⟩'],
    ['a\u2066b\u2069\u200f\u061c', 'a⟨U+2066⟩b⟨U+2069⟩⟨U+200F⟩⟨U+061C⟩'],
    ['\ufeff{}', '⟨U+FEFF⟩{}'],
    ['soft\u00adhyphen', 'soft⟨U+00AD⟩hyphen'],
    ['blank\u3164', 'blank⟨U+3164⟩'],
    ['\u{e0041}', '⟨U+E0041⟩'],
    ['a\u200db', 'a⟨U+200D⟩b'],
    ['1\ufe0f', '1⟨U+FE0F⟩'],
    ['\u0000\u001b[31m', '⟨U+0000⟩⟨U+001B⟩[31m'],
  ])('%j', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it.each(['order-1', 'line\n\tand\r\nline', 'שלום, مرحبا', '注文\u3000番号', '👩🏽‍💻 ❤️ 1️⃣ 🏳️‍🌈', 'é é'])(
    'but not %j',
    (text) => {
      expect(visible(text)).toBe(text);
      expect(hiddenIn(text)).toEqual([]);
    },
  );

  it('each of them once, where a text field cannot mark them', () => {
    expect(hiddenIn('a\u200bb\u200bc\u202e')).toEqual(['⟨U+200B⟩', '⟨U+202E⟩']);
  });
});

// The pages, always in sight.

import { useEffect } from 'preact/hooks';
import { compact } from '../lib/format.js';
import { isHelpOpen, pagesHere } from '../lib/keys.js';
import { connection } from '../lib/live.js';
import { overview, useOverview } from '../lib/overview.js';
import { linkTo } from '../lib/router.js';
import { session } from '../lib/session.js';
import { theme, turnTheme } from '../lib/theme.js';

const REFRESH_MS = 15_000;
const STATES = {
  open: { text: 'Live', tone: '' },
  connecting: { text: 'Connecting…', tone: 'wait' },
  lost: { text: 'Reconnecting…', tone: 'bad' },
} as const;

const THEMES = { system: 'Colors of the system', light: 'Light', dark: 'Dark' } as const;

export function Rail({ parts }: { readonly parts: readonly string[] }) {
  const section = parts[2] === 'dead-letters' ? parts[2] : parts[0];
  const known = session.value;
  useOverview(known === undefined || section === undefined ? undefined : REFRESH_MS);
  // Where the window is small the pages are one line that scrolls.
  useEffect(() => {
    document
      .querySelector('.pages [aria-current]')
      ?.scrollIntoView({ block: 'nearest', inline: section === undefined ? 'end' : 'center' });
  }, [section, known]);
  const dead = overview.value?.counts.deadLetters ?? 0;
  return (
    <nav class="rail" aria-label="Pages">
      <a class="brand" href={linkTo([])}>
        <svg width="16" height="16" viewBox="0 0 18 18" aria-hidden="true">
          <path
            d="M2.5 14.5 9 3l6.5 11.5Z"
            fill="none"
            stroke="currentColor"
            stroke-width="2.4"
            stroke-linejoin="round"
          />
        </svg>
        <span>{known?.title ?? 'RocketMQ'}</span>
      </a>
      <div class="pages">
        {pagesHere().map(({ key, name, path }) => (
          <a key={name} href={linkTo(path)} aria-current={(section ?? '') === (path[0] ?? '') ? 'page' : undefined}>
            {name}
            {name === 'Dead letters' && dead > 0 ? (
              <span class="badge">{compact(dead)}</span>
            ) : (
              <i class="key" aria-hidden="true">
                g {key}
              </i>
            )}
          </a>
        ))}
      </div>
      <footer>
        <span class={`state ${STATES[connection.value].tone}`} role="status">
          {STATES[connection.value].text}
        </span>
        {known !== undefined && <span>{known.viewer ?? (known.actions.length === 0 ? 'Read-only' : '')}</span>}
        <button type="button" class="quiet" title="Light or dark" onClick={turnTheme}>
          {THEMES[theme.value]}
        </button>
        <button type="button" class="quiet" onClick={() => (isHelpOpen.value = true)}>
          Keys{' '}
          <i class="key" aria-hidden="true">
            ?
          </i>
        </button>
      </footer>
    </nav>
  );
}

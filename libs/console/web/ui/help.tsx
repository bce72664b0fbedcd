import { useEffect, useRef } from 'preact/hooks';
import { areKeysOn, isHelpOpen, pagesHere, turnKeys } from '../lib/keys.js';

const KEYS = [
  ['/', 'Search on this page'],
  ['j', 'Next row'],
  ['k', 'Previous row'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
  ['Esc', 'Leave the search'],
  ['?', 'These keys'],
] as const;

const HERE = [
  ['l', 'Follow a topic live'],
  ['s', 'Send a message'],
  ['r', 'Replay the selected, rewind'],
  ['n', 'Load more'],
] as const;

/** What the keyboard can do. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (!isOpen) return null;
  const close = (): void => {
    isHelpOpen.value = false;
  };
  return (
    <dialog ref={dialog} aria-labelledby="help-title" class="help" onClose={close}>
      <header>
        <h2 id="help-title">Keys</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      <div class="inside columns">
        <List title="Everywhere" keys={KEYS} />
        <List title="Go to" keys={pagesHere().map(({ key, name }) => [`g ${key}`, name] as const)} />
        <List title="Where it applies" keys={HERE} />
      </div>
      <footer>
        <label class="tick-field">
          <input
            type="checkbox"
            checked={areKeysOn.value}
            onChange={({ currentTarget }) => turnKeys(currentTarget.checked)}
          />
          <span>Use these keys in this browser</span>
        </label>
      </footer>
    </dialog>
  );
}

function List({ title, keys }: { readonly title: string; readonly keys: readonly (readonly [string, string])[] }) {
  return (
    <div>
      <h3>{title}</h3>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

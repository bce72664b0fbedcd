// Small things that every page is made of.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ApiError } from '../lib/api.js';
import { ago, count, plural, time, utc } from '../lib/format.js';
import { layoutOf } from '../lib/layout.js';
import type { Resource } from '../lib/resource.js';
import { linkTo } from '../lib/router.js';
import { nowMs, session } from '../lib/session.js';
import { visible } from '../lib/visible.js';
import type { BrokerProblem } from '../types.js';

interface HeadProps {
  readonly title: string;
  /** The pages above this one. */
  readonly crumbs?: readonly { readonly text: string; readonly parts: readonly string[] }[];
  readonly isMono?: boolean;
  /** Beside the title: what kind of thing it is. */
  readonly about?: ComponentChildren;
  readonly children?: ComponentChildren;
}

/** The title of a page, and its tools. */
export function Head({ title, crumbs = [], isMono = false, about, children }: HeadProps) {
  const cluster = session.value?.title ?? 'RocketMQ';
  useEffect(() => {
    document.title = visible(`${title} · ${cluster}`);
  }, [title, cluster]);
  return (
    <header class="head">
      {crumbs.length > 0 && (
        <nav class="crumbs" aria-label="Above this page">
          {crumbs.map(({ text, parts }) => (
            <span key={text}>
              <a href={linkTo(parts)}>{text}</a>
            </span>
          ))}
        </nav>
      )}
      <h1 class={isMono ? 'mono' : ''}>{title}</h1>
      {about}
      {children !== undefined && <div class="tools">{children}</div>}
    </header>
  );
}

interface TimeProps {
  readonly ms: number;
  /** Without milliseconds. */
  readonly isCoarse?: boolean;
  /** `3 min ago` instead of the clock. */
  readonly isRelative?: boolean;
}

/** A time: local, in UTC when pointed at. */
export function Time({ ms, isCoarse = false, isRelative = false }: TimeProps) {
  const now = nowMs.value;
  const title = isRelative ? `${time(ms, now)} local, ${utc(ms)}` : `${utc(ms)}, ${ago(ms, now)}`;
  return (
    <time dateTime={utc(ms)} title={title}>
      {isRelative ? ago(ms, now) : time(ms, now, !isCoarse)}
    </time>
  );
}

/** What went wrong, where the page would be. */
export function Failure({ error, reload }: { readonly error: ApiError; readonly reload?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <span>{error.message}</span>
      {error.outcome === 'unknown' && <span>It may have taken effect.</span>}
      <code>{error.code}</code>
      {reload !== undefined && (
        <button type="button" onClick={reload}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Why there is nothing, and what to do. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** Brokers that did not answer. */
export function Problems({ list }: { readonly list: readonly string[] }) {
  if (list.length === 0) return null;
  return (
    <div class="notice" role="status">
      <strong>Incomplete</strong>
      <span>{list.join('; ')}</span>
    </div>
  );
}

const MAX_NAMES = 3;

/** Each error once, with what it is about. */
export function textsOf(failures: readonly BrokerProblem[] | undefined): readonly string[] {
  const named = new Map<string, readonly string[]>();
  for (const { name, error } of failures ?? []) named.set(error.message, [...(named.get(error.message) ?? []), name]);
  return [...named].map(([message, names]) => `${listed([...new Set(names)])}: ${message}`);
}

function listed(names: readonly string[]): string {
  const others = names.length - MAX_NAMES;
  return `${names.slice(0, MAX_NAMES).join(', ')}${others > 0 ? ` and ${plural(others, 'other')}` : ''}`;
}

interface LoadedProps<T> {
  readonly of: Resource<T>;
  readonly children: (value: T) => ComponentChildren;
}

/** What was read; above it what failed since; before it a place that does not jump. */
export function Loaded<T>({ of, children }: LoadedProps<T>) {
  const { value, error, reload } = of;
  return (
    <>
      {error !== undefined && <Failure error={error} reload={reload} />}
      {value !== undefined && children(value)}
      {value === undefined && error === undefined && <Loading />}
    </>
  );
}

export function Loading() {
  return (
    <div class="panel loading" role="status">
      <span class="sr">Loading</span>
      <i />
      <i />
      <i />
    </div>
  );
}

export type Fact = readonly [name: string, value: ComponentChildren, note?: ComponentChildren];

/** A few values side by side. */
export function Facts({ facts, isLarge = false }: { readonly facts: readonly Fact[]; readonly isLarge?: boolean }) {
  return (
    <dl class={isLarge ? 'facts large' : 'facts'}>
      {facts.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {note !== undefined && <small>{note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface SectionProps {
  readonly title: ComponentChildren;
  readonly note?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Section({ title, note, tools, children }: SectionProps) {
  return (
    <section>
      <div class="section">
        <h2>{title}</h2>
        {note !== undefined && <span class="muted">{note}</span>}
        {tools !== undefined && <div class="tools">{tools}</div>}
      </div>
      {children}
    </section>
  );
}

interface SwitchProps<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

/** One of a few, all in sight. */
export function Switch<T extends string>({ label, options, value, onChange }: SwitchProps<T>) {
  return (
    <fieldset class="switch">
      <legend class="sr">{label}</legend>
      {options.map(([one, text]) => (
        <button key={one} type="button" aria-pressed={one === value} onClick={() => onChange(one)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}

interface SearchProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  /** Waits for Enter: the search asks the brokers. */
  readonly isSlow?: boolean;
}

export function Search({ label, value, onInput, isSlow = false }: SearchProps) {
  const take = ({ currentTarget }: { readonly currentTarget: HTMLInputElement }): void => onInput(currentTarget.value);
  return (
    <label class="search">
      <span class="sr">{label}</span>
      <input
        type="search"
        placeholder={label}
        value={value}
        data-search
        spellcheck={false}
        autocomplete="off"
        {...(isSlow ? { onChange: take } : { onInput: take })}
      />
      <i class="key" aria-hidden="true">
        /
      </i>
    </label>
  );
}

/** Text as it is; where it is long it scrolls, by keyboard too. */
export function Code({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable
    <section class="code" aria-label={label} tabIndex={0}>
      <pre>{children}</pre>
    </section>
  );
}

/** A body as it is stored, with indents where it is JSON. Made once: pages are drawn each second. */
export function BodyText({ text }: { readonly text: string }) {
  return useMemo(() => <Code label="Body">{layoutOf(text).shown}</Code>, [text]);
}

const COPIED_MS = 2_000;

/** Browsers let only pages of this machine, and those by TLS, write to the clipboard. */
export function Copy({ name, text }: { readonly name: string; readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  if (navigator.clipboard === undefined) return null;
  const copy = (): void =>
    void navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <button type="button" onClick={copy}>
      {isCopied ? 'Copied' : `Copy ${name}`}
    </button>
  );
}

/** A group's name as a link. */
export function GroupLink({ name }: { readonly name: string }) {
  return <a href={linkTo(['groups', name])}>{name}</a>;
}

interface ListFootProps {
  readonly shown: number;
  readonly total: number;
  /** Of one thing in the list. */
  readonly name: string;
}

/** How many there are, and how to see those that are not in the list. */
export function ListFoot({ shown, total, name }: ListFootProps) {
  const isWhole = total <= shown;
  return (
    <p class="foot">
      {isWhole ? plural(total, name) : `The first ${count(shown)} of ${count(total)}. Filter by name to see others.`}
    </p>
  );
}

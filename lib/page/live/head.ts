/** The head of the page: host, network, state in words, whether news come, and alarms as sentences. */
import { formatDuration } from '../../units.ts';
import { byId, el, setText } from '../kit/dom.ts';
import type { Context } from './context.ts';
import type { Store } from './store.ts';
import { type StateWords, sentenceText, stateWords } from './words.ts';

export function head({ store, redraw, query }: Context): void {
  redraw.view(['state', 'ticks'], () => {
    const { hello, status } = store;
    setText(byId('host'), hello?.host ?? 'weft ui');
    const name = networkOf(store);
    setText(byId('network'), name === '' ? '' : `network ${name}`);
    document.title = hello === undefined ? 'weft ui' : `${hello.host}${name === '' ? '' : ` ${name}`} – weft`;
    setText(byId('about'), aboutOf(store));
    const words = status === undefined ? { text: '', level: undefined } : stateWords(status);
    say(byId('state'), store.gone === undefined ? words : { text: 'weftd does not answer', level: 'bad' });
    networks(store, query);
    drawLink(store);
    alarms(store);
  });
}

/** Also called by the clock: it counts the seconds without news. */
export function drawLink(store: Store): void {
  const { link, gone } = store;
  document.body.classList.toggle('old', link !== 'live' || gone !== undefined);
  say(byId('link'), LINKS[link](store));
}

const LINKS: Readonly<Record<Store['link'], (store: Store) => StateWords>> = {
  connecting: () => ({ text: 'connecting', level: undefined }),
  live: ({ gone }) => ({ text: gone === undefined ? 'live' : 'waiting for weftd', level: undefined }),
  stale: (store) => ({
    text: `no news for ${formatDuration(store.silentSeconds(performance.now()))}: what is shown is as of then`,
    level: 'warn',
  }),
  unreachable: () => ({ text: 'no connection', level: 'bad' }),
  over: () => ({ text: 'over', level: 'bad' }),
};

/** What keeps news from coming, and what to do about it. */
const ENDS: Readonly<Partial<Record<Store['link'], string>>> = {
  unreachable:
    'weft ui does not answer: it has ended, or cannot be reached. Start it again where it ran; this page tries on by itself.',
  over: 'The weft ui that this page came from has ended. Run weft ui again and open the address that it prints.',
};

function aboutOf({ status, nowMs }: Store): string {
  if (status === undefined) return '';
  const { backend, external, startedAt } = status;
  const up = nowMs === undefined ? status.uptimeSeconds : (nowMs - Date.parse(startedAt)) / 1000;
  const parts = [
    backend === null ? undefined : `${backend.type} on ${backend.device}, MTU ${backend.mtu}`,
    external === null ? undefined : `over ${external.name}, ${external.publicIp}`,
    `up ${formatDuration(up)}`,
    `weftd ${status.version}`,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** '' for the only one. */
function networkOf({ hello, status }: Store): string {
  const named = hello?.network ?? '';
  return named === '' && (status?.networks.length ?? 0) > 1 ? (status?.networks[0]?.name ?? '') : named;
}

/** Links to the daemon's other networks; none where there is one. */
function networks(store: Store, query: string): void {
  const nav = byId('networks');
  const all = store.status?.networks ?? [];
  nav.hidden = all.length < 2;
  const shown = networkOf(store);
  const key = JSON.stringify([shown, query, all.map(({ name, state }) => [name, state])]);
  if (nav.hidden || nav.dataset.key === key) return;
  nav.dataset.key = key;
  nav.replaceChildren(
    ...all.map(({ name, state }) =>
      el(
        'a',
        { href: `?network=${encodeURIComponent(name)}`, 'aria-current': name === shown ? 'page' : undefined },
        state === 'ready' ? name : `${name} (${state})`,
      ),
    ),
  );
}

interface Alarm {
  readonly text: string;
  readonly level: 'bad' | 'warn';
}

/** Of now; what was one before the daemon was silent may be none any more. */
function sentencesOf({ status, gone, link }: Store): Alarm[] {
  const end = ENDS[link];
  if (end !== undefined) return [{ text: end, level: 'bad' }];
  if (gone !== undefined) return [{ text: sentenceText(gone), level: 'bad' }];
  const hint = status?.waitingFor?.hint;
  return [
    ...(status?.alarms ?? []).map((text) => ({ text, level: 'bad' as const })),
    ...(hint ? [{ text: hint, level: 'warn' as const }] : []),
  ];
}

function alarms(store: Store): void {
  const list = byId('alarms');
  const all = sentencesOf(store);
  const key = JSON.stringify(all);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...all.map(({ text, level }) => el('li', { class: level }, text)));
  list.hidden = all.length === 0;
}

function say(element: HTMLElement, { text, level }: StateWords): void {
  setText(element, text);
  const name = level ?? '';
  if (element.className !== name) element.className = name;
}

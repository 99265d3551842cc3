/** Which path packets take, and why: the offloads with their reasons. */
import { byId, el } from '../kit/dom.ts';
import type { Context } from './context.ts';

/** What each does, in the words of docs/operations.md. */
const MEANING: Readonly<Record<string, string>> = {
  'tun-tso': 'TCP comes from the device in packets of up to 64 KiB',
  'tun-uso': 'UDP goes through the device in packets of up to 64 KiB',
  'tun-gro': 'TCP packets that follow each other go to the device as one',
  'udp-gso': 'many datagrams to one peer are sent as one',
  'udp-gro': 'many datagrams from one peer are received as one',
};

export function path({ store, redraw }: Context): void {
  const target = byId('path-body');
  redraw.view(['state'], () => {
    const { status } = store;
    const offloads = status?.offloads ?? [];
    const key = JSON.stringify([offloads, status?.backend?.type]);
    if (target.dataset.key === key) return;
    target.dataset.key = key;
    if (offloads.length === 0) {
      const text =
        status?.backend == null
          ? 'Not known before the backend runs.'
          : `${status.backend.type} has no data plane in weftd: the kernel carries the packets.`;
      target.replaceChildren(el('p', { class: 'empty' }, text));
      return;
    }
    const active = offloads.filter((offload) => offload.active).length;
    target.replaceChildren(
      el(
        'p',
        { class: 'said muted' },
        `${active} of ${offloads.length} offloads are in use: each lets one system call move many packets.`,
      ),
      el(
        'ul',
        { class: 'offloads' },
        ...offloads.map((offload) =>
          el(
            'li',
            { class: offload.active ? 'on' : 'off' },
            el('b', {}, offload.name),
            el('span', {}, offload.active ? offload.reason : `off: ${offload.reason}`),
            el('span', { class: 'muted' }, MEANING[offload.name] ?? ''),
          ),
        ),
      ),
    );
  });
}

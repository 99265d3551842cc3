/** Peers as changes of what was said before. */
import type { Peer } from '../control/protocol.ts';
import type { PeersChange } from './messages.ts';

export class PeerChanges {
  /** By subnet: as JSON, to compare it. */
  #known = new Map<string, { readonly peer: Peer; readonly text: string }>();

  /** Undefined: nothing is other than it was. */
  take(peers: readonly Peer[]): PeersChange | undefined {
    const before = this.#known;
    this.#known = new Map(peers.map((peer) => [peer.subnet, { peer, text: JSON.stringify(peer) }]));
    const changed = [...this.#known.values()].flatMap(({ peer, text }) =>
      before.get(peer.subnet)?.text === text ? [] : [peer],
    );
    const gone = [...before.keys()].filter((subnet) => !this.#known.has(subnet));
    return changed.length + gone.length === 0 ? undefined : { changed, gone };
  }

  get count(): number {
    return this.#known.size;
  }

  get all(): PeersChange {
    return { changed: [...this.#known.values()].map(({ peer }) => peer), gone: [] };
  }
}

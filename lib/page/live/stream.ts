/** What comes from the server of `weft ui`, and whether it does. */
import { EVENTS_PATH, PACKET_PATH, type PacketDetail, type PageEvents } from '../../ui/messages.ts';

const NAMES: Readonly<Record<keyof PageEvents, true>> = {
  hello: true,
  status: true,
  peers: true,
  tick: true,
  packets: true,
  gone: true,
  tap: true,
};

export interface StreamListener {
  event<Name extends keyof PageEvents>(name: Name, value: PageEvents[Name]): void;
  /** It is tried again, by itself. */
  lost(): void;
  /** The server does not know this page's cookie any more; nothing is tried again. */
  over(): void;
}

/** Our choice: between tries, where the browser does not try again by itself. */
const RETRY_MS = 2000;

/** `query`: "?network=blue", or ''. Goes on as long as the page is there. */
export function listen(query: string, listener: StreamListener): void {
  const source = new EventSource(`${EVENTS_PATH}${query}`);
  for (const name of Object.keys(NAMES) as (keyof PageEvents)[])
    source.addEventListener(name, (event: MessageEvent<string>) => {
      listener.event(name, JSON.parse(event.data) as PageEvents[typeof name]);
    });
  source.addEventListener('error', () => {
    listener.lost();
    if (source.readyState !== EventSource.CLOSED) return;
    // An answer that was no stream: which one, it does not tell.
    void isOver().then((over) => {
      if (over) listener.over();
      else setTimeout(() => listen(query, listener), RETRY_MS);
    });
  });
}

async function isOver(): Promise<boolean> {
  try {
    return (await fetch('/', { method: 'HEAD' })).status === 403;
  } catch {
    return false;
  }
}

/** Undefined: the server has forgotten it. Throws when it does not answer. */
export async function packetDetail(id: number, query: string, signal: AbortSignal): Promise<PacketDetail | undefined> {
  const reply = await fetch(`${PACKET_PATH}${id}${query}`, { signal });
  if (reply.status === 404) return undefined;
  if (!reply.ok) throw new Error(`the server answers ${reply.status}`);
  return (await reply.json()) as PacketDetail;
}

import { Command, Option } from 'commander';
import type { Peer, StatusReply } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { printable, printableAll, toJson } from '../../printable.ts';
import { formatTimeOfDay } from '../../units.ts';
import { Minute } from '../../watch/minute.ts';
import { type WatchEvent, watchDaemon } from '../../watch/watch.ts';
import { type Key, withFullScreen } from '../full-screen.ts';
import { seconds } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { type Style, terminalStyle } from '../style.ts';
import {
  isTooSmall,
  LEAST_COLUMNS,
  LEAST_ROWS,
  ORDERS,
  type Order,
  type ScreenSize,
  topScreen,
} from '../top-screen.ts';

interface TopOptions extends QueryOptions {
  /** Seconds between two readings. */
  readonly interval: number;
  readonly order: Order;
}

/** Our choice: of 1,000 peers the daemon prints 300 kB. */
const SLOW_INTERVAL_MS = 5000;

export function topCommand(): Command {
  return addQueryOptions(new Command('top'), { json: 'print one JSON object a line, without a terminal' })
    .description('Show peers, rates, drops, batch sizes and CPU, again and again')
    .option('--interval <seconds>', 'between two readings', seconds(0.2, 60), 1)
    .addOption(new Option('--order <by>', 'of the peers').choices(ORDERS).default('traffic'))
    .addHelpText(
      'after',
      `
Keys: q ends; t, r, l and p order the peers by traffic, RTT, loss and address; up, down, PgUp and PgDn.

Examples:
  weft top                 until q or Ctrl-C
  weft top --order loss    peers that lose packets first
  weft top --json | jq .outbound.packets`,
    )
    .action((options: TopOptions) => (options.json === true ? printTicks(options) : show(options)));
}

function watching(options: TopOptions, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const { controlSocket, network, interval } = options;
  return watchDaemon({ controlSocket, network, intervalMs: interval * 1000, slowIntervalMs: SLOW_INTERVAL_MS, signal });
}

/** Until the daemon does not answer, or nobody reads. */
async function printTicks(options: TopOptions): Promise<void> {
  for await (const event of watching(options, new AbortController().signal)) {
    if (event.kind === 'gone') throw event.error;
    if (event.kind === 'tick') process.stdout.write(`${toJson(event.tick)}\n`);
  }
}

async function show(options: TopOptions): Promise<void> {
  const top = new Top(options.order, terminalStyle(process.stdout, process.env));
  let draw = (): void => undefined;
  const terminal = { input: process.stdin, output: process.stdout };
  const onKey = (key: Key): void => {
    if (top.press(key, process.stdout.rows)) draw();
  };
  if (process.stdout.isTTY) requireRoom(process.stdout);
  await withFullScreen(terminal, { onKey, onResize: () => draw() }, async (screen) => {
    draw = () => screen.draw(top.lines(screen.size));
    draw();
    for await (const event of watching(options, screen.signal)) {
      // At the start a daemon that is not there is a wrong option or a missing right: said, and the end.
      if (event.kind === 'gone' && !top.hasBegun) throw event.error;
      top.take(event);
      draw();
    }
  });
}

/** Later a line in place of the table says so. */
function requireRoom(size: ScreenSize): void {
  if (!isTooSmall(size)) return;
  const { rows, columns } = size;
  throw new WeftError(
    'USAGE',
    `weft top needs a terminal of ${LEAST_COLUMNS} columns and ${LEAST_ROWS} rows; this one has ${columns} and ${rows}`,
    { hint: 'make the window larger, or use weft top --json or weft stats --watch' },
  );
}

/** What is known and chosen. */
class Top {
  #order: Order;
  readonly #style: Style;
  readonly #minute = new Minute();
  #status: StatusReply | undefined;
  #peers: readonly Peer[] = [];
  #gone: { readonly message: string; readonly hint: string | undefined } | undefined;
  #scrolled = 0;

  constructor(order: Order, style: Style) {
    this.#order = order;
    this.#style = style;
  }

  get hasBegun(): boolean {
    return this.#status !== undefined;
  }

  take(event: WatchEvent): void {
    switch (event.kind) {
      case 'view':
        if (this.#status !== undefined && this.#status.startedAt !== event.status.startedAt) this.#minute.clear();
        this.#status = printableAll(event.status);
        this.#peers = printableAll(event.peers);
        this.#gone = undefined;
        break;
      case 'tick':
        this.#minute.push(printableAll(event.tick));
        break;
      case 'gone':
        this.#gone = { message: printable(event.error.message), hint: event.error.hint };
    }
  }

  /** Whether it means anything. */
  press(key: Key, rows: number): boolean {
    const order = ORDERS.find((each) => each[0] === key);
    const page = Math.max(1, rows - LEAST_ROWS);
    const steps: Readonly<Record<string, number>> = { up: -1, down: 1, 'page-up': -page, 'page-down': page };
    const step = steps[key];
    if (order !== undefined) this.#order = order;
    // The screen knows how many rows there are, and goes no further.
    if (step !== undefined) this.#scrolled = Math.max(0, Math.min(this.#peers.length - 1, this.#scrolled + step));
    return order !== undefined || step !== undefined;
  }

  lines(size: ScreenSize): string[] {
    const clock = formatTimeOfDay(Date.now());
    const view = {
      status: this.#status,
      peers: this.#peers,
      minute: this.#minute,
      gone: this.#gone,
      order: this.#order,
      scrolled: this.#scrolled,
      clock,
    };
    return topScreen(view, size, this.#style);
  }
}

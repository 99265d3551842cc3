/** The live page of `weft ui`: what its server tells, drawn. */
import '../kit/theme.css';
import './style/base.css';
import './style/rows.css';
import './style/nodes.css';
import './style/figures.css';
import './style/packets.css';
import './style/narrow.css';
import { Choice, type Context } from './context.ts';
import { packetDetails } from './detail.ts';
import { drops } from './drops.ts';
import { drawLink, head } from './head.ts';
import { packetList } from './packets.ts';
import { path } from './path.ts';
import { peerTable } from './peers.ts';
import { picture } from './picture.ts';
import { Redraw } from './redraw.ts';
import { selected } from './selected.ts';
import { stages } from './stages.ts';
import { Store } from './store.ts';
import { listen } from './stream.ts';
import { strips } from './strips.ts';

const network = new URLSearchParams(location.search).get('network');
const context: Context = {
  store: new Store(),
  redraw: new Redraw(),
  choice: new Choice(),
  query: network === null ? '' : `?network=${encodeURIComponent(network)}`,
};
const { store, redraw } = context;

// Before the views are made, so that it is on its way meanwhile.
listen(context.query, {
  event: (name, value) => {
    redraw.mark(store.apply(name, value, performance.now()));
    if (name === 'tick') redraw.settle();
  },
  lost: () => {
    store.link = store.hello === undefined ? 'connecting' : 'unreachable';
    redraw.mark(['state']);
  },
  over: () => {
    store.link = 'over';
    redraw.mark(['state']);
  },
});

head(context);
picture(context);
peerTable(context);
selected(context);
strips(context);
drops(context);
packetList(context, packetDetails(context.query));
stages(context);
path(context);

/** Once a second: what is silent says since when. */
setInterval(() => {
  if (document.hidden) return;
  store.age(performance.now());
  if (store.link === 'stale') drawLink(store);
}, 1000);
redraw.mark(['state', 'peers', 'tap', 'packets']);

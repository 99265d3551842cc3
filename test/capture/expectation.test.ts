import test from 'ava';
import { formatIp, type IpAddress } from '../../lib/addr/ip.ts';
import { hostPrefix, type Prefix, parsePrefix, prefixContains } from '../../lib/addr/prefix.ts';
import { type InspectedNode, InspectedNodes } from '../../lib/capture/expectation.ts';
import { Dice } from '../golden/dice.ts';

/** Looks at each node: the longest prefix that has the address, of equal ones the first. */
function slowHolder(nodes: readonly InspectedNode[], address: IpAddress): InspectedNode | undefined {
  let best: { readonly node: InspectedNode; readonly length: number } | undefined;
  for (const node of nodes)
    for (const prefix of node.inner)
      if (prefixContains(prefix, hostPrefix(address)) && (best === undefined || prefix.length > best.length))
        best = { node, length: prefix.length };
  return best?.node;
}

test('a node is found by its addresses as looking at each one finds it', (t) => {
  const dice = new Dice();
  let held = 0;
  for (let round = 0; round < 100; round++) {
    const host4 = (): IpAddress => 0x0a050000 + dice.below(512);
    const host6 = (): IpAddress => (0xfd00n << 112n) + BigInt(dice.below(512));
    const prefix = (): Prefix =>
      dice.oneIn(2)
        ? parsePrefix(`${formatIp(host4())}/${dice.between(22, 32)}`)!
        : parsePrefix(`${formatIp(host6())}/${dice.between(118, 128)}`)!;
    const nodes = Array.from({ length: dice.below(20) }, (): InspectedNode => {
      const addresses = dice.oneIn(2) ? [host4()] : [host4(), host6()];
      return { addresses, mac: undefined, inner: [prefix(), prefix()], vtepMacs: [] };
    });
    const index = new InspectedNodes(nodes);
    for (let i = 0; i < 50; i++) {
      const address = dice.oneIn(2) ? host4() : host6();
      const where = `WEFT_SEED=${dice.seed} ${formatIp(address)}`;
      const holder = slowHolder(nodes, address);
      if (holder !== undefined) held++;
      t.is(index.holding(address), holder, where);
      t.is(
        index.at(address),
        nodes.find(({ addresses }) => addresses.includes(address)),
        where,
      );
    }
  }
  t.true(held > 1000);
});

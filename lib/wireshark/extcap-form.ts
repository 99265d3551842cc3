/**
 * What Wireshark is told about the interfaces that Weft adds to its list, and the form it makes of their options. One sentence
 * a line, `word {key=value}...`; a value holds neither brace. https://www.wireshark.org/docs/man-pages/extcap.html
 */

/** Both edges of all networks. The others are "weft-" and the name of a network. */
const ALL_NETWORKS = 'weft';

/** Answer to --extcap-interfaces. `networks`: names, as --network of weftd has them. */
export function interfaceSentences(networks: readonly string[]): string {
  return lines([
    `extcap {version=1}{help=https://www.wireshark.org/docs/man-pages/extcap.html}{display=Weft}`,
    `interface {value=${ALL_NETWORKS}}{display=Weft: overlay + underlay}`,
    ...networks.map((name) => `interface {value=${interfaceOf(name)}}{display=Weft: network ${name}}`),
  ]);
}

function interfaceOf(network: string): string {
  return `${ALL_NETWORKS}-${network}`;
}

/** undefined: all of them. */
export function networkOf(interfaceName: string): string | undefined {
  const prefix = interfaceOf('');
  return interfaceName.startsWith(prefix) ? interfaceName.slice(prefix.length) : undefined;
}

/** Answer to --extcap-dlts. The interfaces inside the stream name their own link types; this one is for capture filters. */
export function linkTypeSentences(): string {
  return lines(['dlt {number=1}{name=EN10MB}{display=Overlay and underlay, each with its own link type}']);
}

interface Field {
  readonly call: string;
  readonly display: string;
  readonly type: 'string' | 'unsigned' | 'boolflag' | 'selector';
  readonly tooltip: string;
  readonly group: 'Packets' | 'Where';
  /** Further keys, as they stand in the sentence. */
  readonly more?: string;
  readonly values?: readonly (readonly [value: string, display: string])[];
}

const FIELDS: readonly Field[] = [
  {
    call: '--inner',
    display: 'Inner packets',
    type: 'string',
    tooltip: 'pcap-filter(7) of the packets inside the tunnel, on both edges',
    group: 'Packets',
    more: '{placeholder=icmp and host 10.244.2.2}',
  },
  {
    call: '--outer',
    display: 'Outer packets',
    type: 'string',
    tooltip: 'pcap-filter(7) of the packets on the underlay, beside the capture filter',
    group: 'Packets',
    more: '{placeholder=host 192.0.2.2}',
  },
  {
    call: '--peer',
    display: 'Peer',
    type: 'string',
    tooltip: "Only packets to and from one node: its public IP, its subnet, or a pod's address",
    group: 'Packets',
  },
  {
    call: '--edge',
    display: 'Edge',
    type: 'selector',
    tooltip: 'Before encapsulation, after it, or both',
    group: 'Packets',
    values: [
      ['both', 'Overlay and underlay'],
      ['overlay', 'Overlay'],
      ['underlay', 'Underlay'],
    ],
  },
  {
    call: '--dropped',
    display: 'Dropped packets only',
    type: 'boolflag',
    tooltip: 'What weftd dropped, each with the reason in its comment: by its tap, not on the edges',
    group: 'Packets',
    more: '{default=false}',
  },
  {
    call: '--snap-length',
    display: 'Bytes of each packet',
    type: 'unsigned',
    tooltip: 'Less costs less: 128 has all headers of most packets',
    group: 'Packets',
    more: '{range=64,262144}{default=262144}',
  },
  {
    call: '--raw',
    display: 'Leave super-packets whole',
    type: 'boolflag',
    tooltip: 'As the kernel has them, up to 64 KiB: such packets never are on a wire',
    group: 'Packets',
    more: '{default=false}',
  },
  {
    call: '--remote-host',
    display: 'Remote host',
    type: 'string',
    tooltip:
      'Capture on this node by ssh, as HOST or USER@HOST. It has to work without a question: a key, and the host known',
    group: 'Where',
    more: '{placeholder=root@node1}',
  },
  {
    call: '--remote-weft',
    display: 'weft on the remote host',
    type: 'string',
    tooltip: 'The program there, if it is not in the PATH',
    group: 'Where',
    more: '{default=weft}',
  },
  {
    call: '--network',
    display: 'Network',
    type: 'string',
    tooltip: 'One of several networks of the node, by its name; empty: all of them',
    group: 'Where',
  },
  {
    call: '--sudo',
    display: 'With sudo',
    type: 'boolflag',
    tooltip: 'Capture as root by sudo -n, here or on the remote host. It has to work without a password',
    group: 'Where',
    more: '{default=false}',
  },
];

/** Answer to --extcap-config. */
export function formSentences(): string {
  return lines(
    FIELDS.flatMap(({ call, display, type, tooltip, group, more, values }, number) => [
      `arg {number=${number}}{call=${call}}{display=${display}}{type=${type}}{tooltip=${tooltip}}{group=${group}}${more ?? ''}`,
      ...(values ?? []).map(([value, label], index) => {
        return `value {arg=${number}}{value=${value}}{display=${label}}{default=${index === 0}}`;
      }),
    ]),
  );
}

function lines(sentences: readonly string[]): string {
  return `${sentences.join('\n')}\n`;
}

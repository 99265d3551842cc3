/** What a report has of one figure, in the order in which people read it. Pure, and for the browser too. */

/** As the names of settings, tests and metrics come in a file: it may be of another version. */
export interface Place {
  readonly setting?: string;
  readonly test: string;
  readonly metric: string;
  readonly path?: string;
}

/** The paths of the tables, those that are compared with first. */
const ORDER = [
  'direct',
  'plain-routing',
  'weft-host-gw',
  'kernel-vxlan',
  'flannel-vxlan',
  'flannel-udp',
  'weft-udp',
  'weft-vxlan',
  'weft-ipip',
  'kernel-to-weft',
  'weft-udp-off',
  'weft-vxlan-off',
  'kernel-to-weft-off',
  'segment',
  'storm-aside',
  'segment-storm',
];
const SETTINGS = ['free', 'one-core', 'nic-like'];

/** What rows are chosen and sorted by. */
export interface PlacedRow {
  readonly setting: string;
  readonly test: string;
  readonly metric: string;
  readonly path: string;
}

export function rowsOf<Row extends PlacedRow>(
  { results }: { readonly results: readonly Row[] },
  { setting, test, metric, path }: Place,
): Row[] {
  const found = results.filter(
    (row) =>
      row.test === test &&
      row.metric === metric &&
      (setting === undefined || row.setting === setting) &&
      (path === undefined || row.path === path),
  );
  return found.toSorted((a, b) => rank(SETTINGS, a.setting) - rank(SETTINGS, b.setting) || byPath(a.path, b.path));
}

/** For sorting: as the tables have them, unknown ones last. */
export function byPath(a: string, b: string): number {
  return rank(ORDER, a) - rank(ORDER, b);
}

function rank(order: readonly string[], name: string): number {
  const index = order.indexOf(name);
  return index < 0 ? order.length : index;
}

/** Groups in the order in which they first come. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Ours, and not the kernel's or flanneld's. */
export function isWeft(path: string): boolean {
  return (
    path.startsWith('weft') || path.startsWith('kernel-to-weft') || path.startsWith('segment') || path === 'storm-aside'
  );
}

/** Of which a sentence speaks first: Weft over UDP, else another path of ours, else what there is. */
export function subjectOf<Row extends { readonly path: string }>(rows: readonly Row[]): Row | undefined {
  return rows.find(({ path }) => path === 'weft-udp') ?? rows.find(({ path }) => isWeft(path)) ?? rows[0];
}

const PHRASES: Readonly<Record<string, string>> = {
  direct: 'the direct path',
  'plain-routing': 'plain routing',
  'weft-host-gw': 'Weft with host-gw',
  'kernel-vxlan': "the kernel's VXLAN",
  'flannel-vxlan': 'flannel with VXLAN',
  'flannel-udp': 'flannel over UDP',
  'weft-udp': 'Weft over UDP',
  'weft-vxlan': 'Weft with VXLAN',
  'weft-ipip': 'Weft with IP in IP',
  'weft-udp-off': 'Weft over UDP without offloads',
  'weft-vxlan-off': 'Weft with VXLAN without offloads',
};

/** A path within a sentence. */
export function phraseOf(path: string): string {
  return PHRASES[path] ?? path;
}

const SETTING_PHRASES: Readonly<Record<string, string>> = {
  free: 'with a free scheduler',
  'one-core': 'on one core',
  'nic-like': 'as over a plain NIC',
};

const SETTING_TITLES: Readonly<Record<string, string>> = {
  free: 'free: the scheduler places everything',
  'one-core': 'one-core: everything on one CPU',
  'nic-like': 'nic-like: without the offloads that a veth has and a plain NIC has not',
};

/** Above the rows of a setting. */
export function settingTitle(setting: string): string {
  return SETTING_TITLES[setting] ?? setting;
}

export function settingPhrase(setting: string): string {
  return SETTING_PHRASES[setting] ?? setting;
}

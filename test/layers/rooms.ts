/**
 * The architecture as data: which room of lib/ may import which, and which packages, and why. docs/architecture.md has the
 * picture; change the two together, on purpose. The table says what is: a permission that nothing uses fails.
 */

/** A folder of lib/ or a single file, with all below it that has no row of its own. */
export interface Room {
  /** Other rooms; "sys" does not stand for "sys/netlink", which has a row. FOR_ALL may be imported anywhere. */
  readonly imports: readonly string[];
  /** Packages, beside Node's own modules. 'none': not even those; the room is pure. */
  readonly packages: readonly string[] | 'none';
  /** May read the clock, draw lots, look into the environment and write to the terminal. To the others it is given. */
  readonly ambient?: true;
  /** Why the row is no longer: the end of every complaint about the room. */
  readonly why: string;
}

const PURE = 'what decides about bytes does no I/O, so that it is tested without a machine';
const CONSTANTS = 'tsc and asc both compile it: constants and nothing else';

/** What every room may import. */
export const FOR_ALL = 'error.ts';

export const ROOMS: Readonly<Record<string, Room>> = {
  'error.ts': { imports: [], packages: 'none', why: 'everybody imports it' },
  'log.ts': { imports: [], packages: 'none', why: 'a log is an interface; who writes it is for the daemon to say' },
  'line-limit.ts': { imports: [], packages: 'none', why: 'it counts lines; who writes them has the log and the clock' },
  'faults.ts': {
    imports: ['line-limit.ts', 'log.ts'],
    packages: [],
    why: 'parts report to it, and it knows none of them',
  },
  'fit-text.ts': { imports: [], packages: 'none', why: 'both programs have a help' },
  'printable.ts': { imports: [], packages: 'none', why: 'text is made fit to be read wherever it is read' },
  'undo.ts': { imports: ['log.ts'], packages: 'none', why: 'it knows steps and not what they undo' },
  'version.ts': { imports: [], packages: [], why: 'it reads one file' },
  'backoff.ts': { imports: [], packages: 'none', why: 'pauses are numbers; who waits has the clock' },
  'units.ts': { imports: [], packages: 'none', why: 'terminal and page say quantities alike' },
  'make-directory.ts': { imports: [], packages: [], why: 'it is given a path' },
  'optional-package.ts': { imports: [], packages: [], why: 'it is given the name of what it loads' },

  // Pure: no I/O.
  addr: { imports: [], packages: 'none', why: 'values do not know who uses them' },
  wire: { imports: ['addr', 'wire/layout'], packages: 'none', why: PURE },
  'wire/layout': { imports: [], packages: 'none', why: CONSTANTS },
  linux: { imports: [], packages: 'none', why: CONSTANTS },
  fib: { imports: ['addr', 'fib/layout.ts'], packages: 'none', why: PURE },
  'fib/layout.ts': { imports: [], packages: 'none', why: CONSTANTS },
  lease: { imports: ['addr'], packages: 'none', why: PURE },

  // Host: system calls, files, etcd.
  sys: {
    imports: ['addr', 'linux', 'sys/netlink', 'wire', 'wire/layout'],
    packages: ['koffi'],
    why: 'it is what Linux offers, whoever wants it',
  },
  'sys/netlink': {
    imports: ['addr', 'linux', 'sys', 'wire'],
    packages: [],
    why: 'it speaks with the kernel through the calls of sys',
  },
  capture: {
    imports: ['addr', 'linux', 'optional-package.ts', 'wire', 'wire/layout'],
    packages: ['cap'],
    why: 'a capture knows bytes, and what a kernel has left to do with them, not who sent them',
  },
  store: { imports: ['lease'], packages: [], why: 'a contract names no store that keeps it' },
  'store/etcd': {
    imports: ['backoff.ts', 'lease', 'log.ts', 'store'],
    packages: ['@grpc/grpc-js', '@grpc/proto-loader'],
    why: 'a store knows leases and not what becomes of them: losing etcd cannot touch the data path',
  },

  // Engine.
  router: {
    imports: ['addr', 'faults.ts', 'log.ts', 'sys', 'sys/netlink'],
    packages: [],
    why: "it makes the kernel's tables what it is told, and knows no lease",
  },
  'fastpath/abi.ts': {
    imports: ['wire/layout'],
    packages: 'none',
    why: CONSTANTS,
  },
  fastpath: { imports: ['fastpath/abi.ts'], packages: [], why: 'it loads the packet code for whoever has the memory' },
  'fastpath/assembly': {
    imports: ['fastpath/abi.ts', 'fib/layout.ts', 'linux', 'wire/layout'],
    packages: 'none',
    why: 'asc compiles it: all that it can share with TypeScript is constants',
  },
  dataplane: {
    imports: ['addr', 'dataplane/counters.ts', 'fastpath/abi.ts'],
    packages: [],
    why: 'it is what both threads know: no code of either',
  },
  'dataplane/counters.ts': {
    imports: ['dataplane', 'fastpath/abi.ts'],
    packages: [],
    why: 'it is a table, which weft stats reads too',
  },
  'dataplane/main': {
    imports: [
      'addr',
      'dataplane',
      'dataplane/counters.ts',
      'fastpath',
      'fastpath/abi.ts',
      'fib',
      'fib/layout.ts',
      'linux',
      'sys',
      'wire',
      'wire/layout',
    ],
    packages: [],
    why: 'it runs on the main thread and shares memory with the worker thread, not code',
  },
  'dataplane/worker': {
    imports: ['addr', 'dataplane', 'fastpath', 'fastpath/abi.ts', 'linux', 'sys', 'wire', 'wire/layout'],
    packages: [],
    why: 'it runs on the worker thread, which never waits for the main thread, for etcd or for netlink',
  },
  engine: {
    imports: ['addr', 'backoff.ts', 'dataplane', 'dataplane/main', 'faults.ts', 'log.ts', 'sys', 'sys/netlink'],
    packages: [],
    why: 'it keeps a data plane alive for any backend and knows no lease',
  },
  backend: {
    imports: [
      'addr',
      'backend/vxlan',
      'dataplane',
      'engine',
      'lease',
      'faults.ts',
      'log.ts',
      'router',
      'sys',
      'sys/netlink',
      'undo.ts',
    ],
    packages: [],
    why: 'a backend gets leases and sees no store: known peers keep talking while etcd is down',
  },
  'backend/vxlan': {
    imports: ['addr', 'backend', 'dataplane', 'engine', 'lease', 'router', 'sys', 'undo.ts'],
    packages: [],
    why: 'a backend gets leases and sees no store: known peers keep talking while etcd is down',
  },

  // Product.
  control: {
    imports: ['addr', 'make-directory.ts', 'printable.ts'],
    packages: [],
    why: 'daemon and cli meet here, and neither sees into the other',
  },
  tap: {
    imports: ['control', 'dataplane', 'fastpath/abi.ts', 'line-limit.ts', 'log.ts', 'printable.ts', 'sys'],
    packages: [],
    why: 'it shows records to those who may see them: no packet, route or lease is its business',
  },
  daemon: {
    imports: [
      'addr',
      'backend',
      'backoff.ts',
      'control',
      'dataplane',
      'daemon/cmdline',
      'daemon/files',
      'daemon/host',
      'daemon/peers',
      'engine',
      'fit-text.ts',
      'lease',
      'faults.ts',
      'log.ts',
      'printable.ts',
      'store',
      'store/etcd',
      'sys',
      'tap',
      'undo.ts',
      'version.ts',
    ],
    packages: ['pino', 'pino-pretty'],
    ambient: true,
    why: 'it wires and does not do: packets, routes and headers are for others',
  },
  'daemon/peers': {
    imports: ['addr', 'backend', 'faults.ts', 'log.ts', 'sys'],
    packages: [],
    why: 'it asks peers by the ways that a backend names, and knows no lease',
  },
  'daemon/cmdline': {
    imports: ['addr', 'control', 'dataplane', 'engine', 'sys'],
    packages: [],
    why: 'flags become values before anything starts',
  },
  'daemon/files': {
    imports: ['addr', 'backend', 'backend/vxlan', 'daemon/host', 'faults.ts', 'lease', 'log.ts', 'make-directory.ts'],
    packages: [],
    why: 'a file is written from values it is given',
  },
  'daemon/host': {
    imports: ['addr', 'backend', 'daemon/cmdline', 'faults.ts', 'lease', 'log.ts', 'sys/netlink'],
    packages: [],
    why: 'it looks at this host and changes nothing',
  },
  headers: {
    imports: ['addr', 'capture', 'control', 'wire', 'wire/layout'],
    packages: [],
    why: 'terminal and page show the same packet alike; it is given bytes',
  },
  watch: {
    imports: ['control', 'measure'],
    packages: [],
    why: 'it sees of a daemon what the control socket says, as any program could',
  },
  observe: {
    imports: [
      'addr',
      'capture',
      'control',
      'headers',
      'lease',
      'linux',
      'measure',
      'sys',
      'sys/netlink',
      'watch',
      'wire',
      'wire/layout',
    ],
    packages: [],
    ambient: true,
    why: 'it looks at the edges of a node and asks the daemon by its control socket, as any program could',
  },
  wireshark: {
    imports: ['control', 'sys'],
    packages: [],
    ambient: true,
    why: 'it makes files for another program, which then calls weft as a user would',
  },
  lab: { imports: ['addr', 'control'], packages: [], why: 'a lab runs the programs as a user would' },
  measure: {
    imports: ['addr', 'lab', 'optional-package.ts', 'sys', 'wire', 'wire/layout'],
    packages: ['raw-socket'],
    why: 'it measures any path and knows none of ours',
  },
  bench: {
    imports: [
      'addr',
      'control',
      'dataplane',
      'dataplane/main',
      'fastpath',
      'fastpath/abi.ts',
      'lab',
      'measure',
      'sys',
      'version.ts',
      'watch',
    ],
    packages: [],
    why: 'it compares programs from outside; of their parts it times tables alone',
  },
  'bench/far': {
    imports: ['addr', 'bench', 'control', 'lab', 'line-limit.ts', 'measure'],
    packages: [],
    why: 'what comes from the other machine is a request on a list, never a command, path or address',
  },
  report: {
    imports: ['bench', 'measure', 'printable.ts', 'units.ts'],
    packages: [],
    why: 'a report becomes a page by its numbers alone: of the benchmark it knows the types',
  },
  demo: {
    imports: ['addr', 'bench', 'capture', 'control', 'lab', 'measure'],
    packages: [],
    why: 'it shows what a user can see, by the control socket and on the wire',
  },
  'ui/messages.ts': {
    imports: ['control', 'watch'],
    packages: [],
    why: 'server and page meet here, and neither sees into the other',
  },
  ui: {
    imports: [
      'addr',
      'capture',
      'control',
      'headers',
      'measure',
      'ui/messages.ts',
      'units.ts',
      'watch',
      'wire',
      'wire/layout',
    ],
    packages: [],
    why: 'it is another program than the daemon, and asks it by the sockets that anybody in their groups may use',
  },
  page: { imports: [], packages: [], why: 'its rooms are below it' },
  'page/kit': {
    imports: [],
    packages: ['uplot', 'uplot/dist/uPlot.min.css'],
    why: 'a browser runs it: there is no Node.js',
  },
  'page/live': {
    imports: ['control', 'page/kit', 'printable.ts', 'ui/messages.ts', 'units.ts'],
    packages: [],
    why: 'a browser runs it: there is no Node.js',
  },
  'page/report': {
    imports: ['page/kit', 'report'],
    packages: ['uplot'],
    why: 'a browser runs it: there is no Node.js; of report it has what is pure, and of bench nothing',
  },
  cli: {
    imports: [
      'addr',
      'bench',
      'bench/far',
      'capture',
      'control',
      'dataplane/counters.ts',
      'demo',
      'fit-text.ts',
      'headers',
      'lab',
      'measure',
      'observe',
      'printable.ts',
      'report',
      'ui',
      'units.ts',
      'version.ts',
      'watch',
      'wireshark',
    ],
    packages: ['commander'],
    ambient: true,
    why: 'weft asks weftd by its control socket and does not reach into it',
  },
};

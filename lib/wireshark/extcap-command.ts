/** From Wireshark's form to the command that captures: `weft capture -w -`, here, by sudo, or on another host by ssh. */
import { WeftError } from '../error.ts';
import { networkOf } from './extcap-form.ts';

/** As the form and Wireshark itself give them; what was left empty is '' or missing. */
export interface ExtcapOptions {
  readonly extcapInterface: string;
  /** Wireshark's own capture filter, of outer packets. */
  readonly extcapCaptureFilter?: string | undefined;
  readonly inner?: string | undefined;
  readonly outer?: string | undefined;
  readonly peer?: string | undefined;
  readonly edge?: string | undefined;
  readonly dropped?: boolean | undefined;
  readonly snapLength?: string | undefined;
  readonly raw?: boolean | undefined;
  readonly remoteHost?: string | undefined;
  readonly remoteWeft?: string | undefined;
  readonly network?: string | undefined;
  readonly sudo?: boolean | undefined;
}

/** How this program is started: node and script, by their absolute paths. */
export interface OwnProgram {
  readonly node: string;
  readonly weft: string;
}

/** ssh gives up after so many seconds when nobody answers. */
const CONNECT_SECONDS = 10;

/** Program and arguments. Throws WeftError USAGE for a host that is none. */
export function captureCommand(options: ExtcapOptions, own: OwnProgram): string[] {
  const capture = captureArguments(options);
  const sudo = options.sudo === true ? ['sudo', '-n', '--'] : [];
  const host = given(options.remoteHost);
  if (host === undefined) return [...sudo, own.node, own.weft, ...capture];
  checkHost(host);
  const remote = [...sudo, given(options.remoteWeft) ?? 'weft', ...capture];
  // Behind "--" nothing is an option of ssh's. What follows the host is one text for the shell there.
  const ssh = ['ssh', '-T', '-o', 'BatchMode=yes', '-o', `ConnectTimeout=${CONNECT_SECONDS}`, '--', host];
  return [...ssh, remote.map((word) => shellQuoted(word)).join(' ')];
}

function captureArguments(options: ExtcapOptions): string[] {
  const words = ['capture', '-w', '-'];
  const add = (name: string, value: string | undefined): void => {
    // One word each: a value that begins with "-" is no option.
    if (value !== undefined) words.push(`--${name}=${value}`);
  };
  add('network', networkOf(options.extcapInterface) ?? given(options.network));
  add('inner', given(options.inner));
  add('peer', given(options.peer));
  add('edge', options.edge === 'both' ? undefined : given(options.edge));
  if (options.dropped === true) words.push('--dropped');
  add('snap-length', given(options.snapLength));
  if (options.raw === true) words.push('--raw');
  const outer = [given(options.extcapCaptureFilter), given(options.outer)].filter((part) => part !== undefined);
  if (outer.length > 0)
    words.push('--', outer.length === 1 ? outer[0]! : outer.map((part) => `(${part})`).join(' and '));
  return words;
}

function given(value: string | undefined): string | undefined {
  const text = value?.trim() ?? '';
  return text === '' ? undefined : text;
}

/** [USER@]HOST, HOST being a name, an address or an alias of ssh's configuration. */
const HOST = /^(?:[\w.][\w.+-]*@)?[\w:.[\]][\w:.[\]%-]*$/;

function checkHost(host: string): void {
  if (!HOST.test(host))
    throw new WeftError('USAGE', `"${host}" is no remote host`, { hint: 'Give HOST or USER@HOST, as for ssh' });
}

/** One word for a POSIX shell. */
export function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

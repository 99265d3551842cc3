/** Whose Wireshark it is. Under sudo that of the person who called it, not root's: files go there with their rights alone. */
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { WeftError } from '../error.ts';

export interface Account {
  readonly name: string;
  readonly home: string;
  /** XDG_CONFIG_HOME, where it is set. */
  readonly configurationHome: string | undefined;
  /** Of the person, where that is another than the user of this process. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws WeftError ACCOUNT_UNKNOWN when sudo's caller has no home. */
export function accountOf(environment: Environment, isRoot: boolean): Account {
  const { SUDO_USER: name, SUDO_UID: uid, SUDO_GID: gid } = environment;
  const isSudo = isRoot && name !== undefined && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '') && uid !== '0';
  if (!isSudo)
    return {
      name: environment.USER ?? (isRoot ? 'root' : 'you'),
      home: environment.HOME ?? homedir(),
      configurationHome: environment.XDG_CONFIG_HOME,
      ids: undefined,
    };
  const { stdout } = spawnSync('getent', ['passwd', uid!], { encoding: 'utf8' });
  const home = homeIn(stdout ?? '');
  if (home === undefined)
    throw new WeftError('ACCOUNT_UNKNOWN', `The user ${name}, who called sudo, has no home folder`, {
      hint: 'Run it without sudo as the user who has Wireshark',
    });
  return { name, home, configurationHome: undefined, ids: { uid: Number(uid), gid: Number(gid) } };
}

/** Of one line of passwd(5). */
export function homeIn(line: string): string | undefined {
  const home = line.trimEnd().split('\n')[0]?.split(':')[5];
  return home?.startsWith('/') === true ? home : undefined;
}

/**
 * Does something to files with the rights of the account: what is made is theirs, and a link of theirs leads nowhere that they
 * could not go themselves. `work` must not wait: meanwhile the whole process has these rights.
 */
export function asAccount<T>({ ids }: Account, work: () => T): T {
  if (ids === undefined) return work();
  const [groups, gid, uid] = [process.getgroups!(), process.getegid!(), process.geteuid!()];
  process.setgroups!([ids.gid]);
  process.setegid!(ids.gid);
  process.seteuid!(ids.uid);
  try {
    return work();
  } finally {
    process.seteuid!(uid);
    process.setegid!(gid);
    process.setgroups!(groups);
  }
}

/**
 * Where Debian keeps ethtool, tc and nft: in root's PATH, not in an ordinary user's. With `sudo env "PATH=$PATH"`, which
 * Node.js from nvm needs, root has the user's.
 */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** What execvp(3) looks through when there is no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/** A PATH with the folders of the system's programs behind all others, so that what the user put first stays first. */
export function withSystemFolders(path: string | undefined): string {
  const folders = (path ?? DEFAULT_PATH).split(':');
  return [...folders, ...SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder))].join(':');
}

/**
 * Where Debian keeps ethtool, tc and nft: in root's PATH, not in an ordinary user's. With `sudo env "PATH=$PATH"`, which
 * Node.js from nvm needs, root has the user's.
 */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** What execvp(3) looks through when there is no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * npm and npx put it before all others, and a package may bring a program with a system tool's name: @vercel/nft, which AVA
 * needs, is called nft.
 */
const PACKAGE_PROGRAMS = '/node_modules/.bin';

/**
 * A PATH with the folders of the system's programs behind all others, so that what the user put first stays first; without
 * those of packages, whose programs are never meant.
 */
export function withSystemFolders(path: string | undefined): string {
  const folders = (path ?? DEFAULT_PATH).split(':').filter((folder) => !folder.endsWith(PACKAGE_PROGRAMS));
  return [...folders, ...SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder))].join(':');
}

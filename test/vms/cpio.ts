/** The "newc" format of cpio archives, which the kernel unpacks as its initial RAM file system. initramfs buffer format, kernel documentation. */

export interface CpioEntry {
  /** Relative: "bin/sh". Folders come before what is in them. */
  readonly name: string;
  readonly content: { readonly file: Uint8Array } | { readonly link: string } | 'folder';
}

const MODE = { file: 0o100755, link: 0o120777, folder: 0o040755 } as const;
const TRAILER = 'TRAILER!!!';

/** The whole archive. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.flatMap(({ name, content }, index) => {
    if (content === 'folder') return entry(index + 1, name, MODE.folder, Buffer.alloc(0));
    if ('link' in content) return entry(index + 1, name, MODE.link, Buffer.from(content.link));
    return entry(index + 1, name, MODE.file, content.file);
  });
  return Buffer.concat([...parts, ...entry(0, TRAILER, 0, Buffer.alloc(0))]);
}

/** Header of 110 characters, name with a NUL, content; name and content each filled up to a multiple of 4 bytes. */
function entry(inode: number, name: string, mode: number, content: Uint8Array): Uint8Array[] {
  const nameBytes = Buffer.from(`${name}\0`);
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, nameBytes, filler(header.length + nameBytes.length), content, filler(content.length)];
}

function filler(length: number): Uint8Array {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

// Checks an LMDB file without LMDB: reading a truncated file through LMDB would crash the process.
// The layout is that of the lmdb package (`MDB_page_header`, `MDB_meta`, `MDB_db`, `MDB_node` in its mdb.c, 64 bits).

import type { FileHandle } from 'node:fs/promises';

const HEADER_BYTES = 24;
const MAGIC = 0xbeefc0de;
const MAX_PAGE_BYTES = 64 * 1024;
const META = { magicAt: 24, pageSizeAt: 48, rootsAt: [88, 136], lastPageAt: 144, transactionAt: 152, bytes: 168 };
const PAGE = { flagsAt: 18, lowerAt: 20, pagesAt: 20 };
const NODE = { headerBytes: 8, flagsAt: 4, keySizeAt: 6 };
const BRANCH_PAGE = 0x01;
const BIG_DATA = 0x01;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** The result of the check. `short`: pages in use are beyond the end of the file. */
type FileCheck = 'foreign' | 'short' | 'whole';

export async function checkFile(file: FileHandle): Promise<FileCheck> {
  const { size } = await file.stat();
  const start = await read(file, 0, MAX_PAGE_BYTES + META.bytes);
  if (start.readUInt32LE(META.magicAt) !== MAGIC) return 'foreign';
  const pageSize = start.readUInt32LE(META.pageSizeAt);
  if (pageSize > MAX_PAGE_BYTES) return 'foreign';
  const metas = [0, pageSize].map((at) => start.subarray(at, at + META.bytes));
  if (metas.some((meta) => meta.readUInt32LE(META.magicAt) !== MAGIC)) return 'foreign';
  const newest = metas.reduce((left, right) => (transactionOf(left) >= transactionOf(right) ? left : right));
  if (size >= (Number(newest.readBigUInt64LE(META.lastPageAt)) + 1) * pageSize) return 'whole';
  // The file is whole if no page in use is missing: pages that a commit allocated and freed are never written.
  const pages = new Pages(file, pageSize, size);
  for (const at of META.rootsAt) {
    const root = newest.readBigUInt64LE(at);
    if (root !== NO_PAGE && !(await pages.hasAllBelow(Number(root)))) return 'short';
  }
  return 'whole';
}

class Pages {
  constructor(
    private readonly file: FileHandle,
    private readonly pageSize: number,
    private readonly size: number,
  ) {}

  /** Whether a page and all pages that it refers to are in the file. */
  async hasAllBelow(page: number): Promise<boolean> {
    if (!this.has(page, 1)) return false;
    const bytes = await read(this.file, page * this.pageSize, this.pageSize);
    const isBranch = (bytes.readUInt16LE(PAGE.flagsAt) & BRANCH_PAGE) !== 0;
    const count = bytes.readUInt16LE(PAGE.lowerAt) / 2;
    for (let index = 0; index < count; index++) {
      const node = bytes.subarray(HEADER_BYTES + bytes.readUInt16LE(HEADER_BYTES + 2 * index));
      if (!(await (isBranch ? this.hasAllBelow(node.readUIntLE(0, 6)) : this.hasValue(node)))) return false;
    }
    return true;
  }

  /** A large value has its own pages. */
  private async hasValue(node: Buffer): Promise<boolean> {
    if ((node.readUInt16LE(NODE.flagsAt) & BIG_DATA) === 0) return true;
    const page = Number(node.readBigUInt64LE(NODE.headerBytes + node.readUInt16LE(NODE.keySizeAt)));
    if (!this.has(page, 1)) return false;
    const header = await read(this.file, page * this.pageSize, HEADER_BYTES);
    return this.has(page, header.readUInt32LE(PAGE.pagesAt));
  }

  private has(page: number, pages: number): boolean {
    return (page + pages) * this.pageSize <= this.size;
  }
}

function transactionOf(meta: Buffer): bigint {
  return meta.readBigUInt64LE(META.transactionAt);
}

/** Reads bytes; those beyond the end of the file are zeros. */
async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  return (await file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer;
}

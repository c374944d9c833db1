import { statfs } from 'node:fs/promises';
import type { Room } from '../jail/room.ts';

/** How a build's disk went. */
export interface DiskWatch {
  isOver(): boolean;
  /** Whether there was a moment when nothing was left for anybody. */
  wasFull(): boolean;
  close(): void;
}

const everyMs = 200;
const leastBytes = 1 << 20;
const leastInodes = 16;

/** Builds that run in each room, with what each may add to its disk. */
const running = new WeakMap<Room, Set<{ mayAdd: number; besideBytes: number }>>();

/** As many files as a file system of that size would have. */
const bytesOfInode = 8192;

/**
 * Watches what a build adds to its room's disk. What others add at the same time cannot be told from it, so that it may
 * add what they may, too: nobody is stopped for somebody else's files.
 */
export async function watchDisk(room: Room, limitBytes: number, onOver: () => void): Promise<DiskWatch> {
  const all = running.get(room) ?? new Set();
  running.set(room, all);
  const mine = { mayAdd: limitBytes, besideBytes: 0 };
  for (const it of all) {
    it.besideBytes += limitBytes;
    mine.besideBytes += it.mayAdd;
  }
  all.add(mine);
  const first = await room.space();
  let over = false;
  let full = false;
  const look = async (): Promise<void> => {
    const { freeBytes, freeInodes } = await room.space();
    full ||= freeBytes < leastBytes || freeInodes < leastInodes;
    const mayAdd = mine.mayAdd + mine.besideBytes;
    const isWithin = first.freeBytes - freeBytes <= mayAdd && first.freeInodes - freeInodes <= mayAdd / bytesOfInode;
    if (over || isWithin) return;
    over = true;
    onOver();
  };
  const timer = setInterval(() => void look().catch(() => undefined), everyMs);
  return {
    isOver: () => over,
    wasFull: () => full,
    close() {
      clearInterval(timer);
      all.delete(mine);
    },
  };
}

/** Whether a disk has no room left for what a daemon writes. */
export async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < 16 << 20;
}

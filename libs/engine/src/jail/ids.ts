import { idsHere } from './user-namespace.ts';

/** Ids of users and groups that a room has, as runc maps them: `containerID` inside is `hostID` outside. */
export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

/** Above all that systemd and useradd give out. */
const firstId = 2_000_000_000;
const block = 2 ** 20;
/** Where platforms that number their users by project begin: OpenShift's ids lie in the first million from here. */
const highIds = 1_000_000_000;

/** Rooms that one machine can have at the same time: each has a range of ids and of addresses by its number. */
export const roomsMax = 1000;

/** Ids that images have at least: `nobody` is 65534. */
export const idsMin = 2 ** 16;

/**
 * On the machine itself, two ranges of 2^20 ids: from 0, and from 1,000,000,000. What lies in neither cannot own a file
 * in the room. In a user namespace, as many of its ids as there are, without its root's; rooms share them where it has
 * too few for all.
 * @param available ids of the user namespace that the builder is in
 */
export const idsOf = (room: number, available = idsHere): [IdMapping, ...IdMapping[]] =>
  available === undefined ? ownIdsOf(room) : idsWithin(room, available);

function idsWithin(room: number, available: number): [IdMapping] {
  const size = Math.min(idsMin, available - 1);
  const blocks = Math.max(1, Math.floor((available - 1) / idsMin));
  return [{ containerID: 0, hostID: 1 + (room % blocks) * idsMin, size }];
}

const ownIdsOf = (room: number): [IdMapping, IdMapping] => [
  { containerID: 0, hostID: firstId + room * 2 * block, size: block },
  { containerID: highIds, hostID: firstId + (room * 2 + 1) * block, size: block },
];

/** Root of a room, as the host sees it. */
export const rootOf = (room: number): number => idsOf(room)[0].hostID;

/** One venue message (the socket's own cap is 16 MiB) with room for what the recorder adds to it. */
export const MAX_PAYLOAD_BYTES = 17 * 1024 * 1024

/** Small enough to delete by the hour and to verify in well under a second at a start; large enough for few files. */
export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024

/** Above this the caller pauses its sockets. About a second of the design peak, so a slow sync of 300 ms pauses nothing. */
export const MAX_UNSYNCED_BYTES = 32 * 1024 * 1024

/** Below this the caller resumes its sockets: half, so that it does not flap. */
export const RESUME_UNSYNCED_BYTES = MAX_UNSYNCED_BYTES / 2

/**
 * Above this append refuses. Sockets that were paused still deliver what they had already read, so this is far above
 * the pause; who passes it does not obey shouldPause.
 */
export const OVERRUN_BYTES = 256 * 1024 * 1024

/** One write and one sync carry at most this (or one larger entry), so that a backlog becomes durable piece by piece. */
export const MAX_GROUP_BYTES = 4 * 1024 * 1024

/** With this much waiting, a group starts at once and does not wait for more. */
export const EAGER_GROUP_BYTES = 256 * 1024

/**
 * From the beginning of one group to that of the next, so that a stream of single messages does not cost one sync each: at 3,800
 * messages a second 4 ms took a third more of a core than this. With the sync itself well below the 50 ms in which an entry must be
 * on disk.
 */
export const DEFAULT_SYNC_INTERVAL_MS = 20

/** Entries come back in batches read from about this many bytes (or one larger entry). */
export const READ_BATCH_BYTES = 1024 * 1024

/** Room past the limit for entries that say why nothing is recorded. They are small: this is tens of thousands. */
export const RESERVE_BYTES = 4 * 1024 * 1024

/** From this share of the limit on at the latest, written segments are deleted before their retention is over. */
export const EARLY_RELEASE_PERCENT = 90

/** A checkpoint is held in memory whole, by the writer and by the reader. */
export const MAX_CHECKPOINT_BYTES = 512 * 1024 * 1024

/** What was set aside as damaged is evidence, not data: beyond this the oldest goes, and the recovery says so. */
export const MAX_DAMAGED_BYTES = 1024 * 1024 * 1024

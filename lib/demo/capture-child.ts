/** The demo's capture process: opens a device in the namespace it runs in and writes what it sees to standard output. */
import { encodeRecord } from '../capture/frame-stream.ts';
import { openLiveCapture } from '../capture/live.ts';
import { messageOf, WeftError } from '../error.ts';
import type { CaptureRequest, ChildReply } from './protocol.ts';

/** Our choice: some 16,000 packets of an MTU of 1500, while we are not scheduled. */
const RING_BYTES = 32 * 1024 * 1024;

function reply(message: ChildReply): void {
  process.send?.(message);
}

function capture(request: CaptureRequest): void {
  const live = openLiveCapture({
    device: request.device,
    filter: request.filter,
    bufferBytes: RING_BYTES,
    onPacket: (bytes) => process.stdout.write(encodeRecord(bytes)),
  });
  // The demo says stop, or has gone: what is still in the pipe is written, then nothing holds the process any longer.
  process.once('SIGTERM', () => process.disconnect());
  process.once('disconnect', () => live.close());
  reply({ type: 'ready', linkType: live.linkType });
}

process.once('message', (request: CaptureRequest) => {
  try {
    capture(request);
  } catch (error) {
    const { code, hint } = error instanceof WeftError ? error : { code: 'CAPTURE_FAILED', hint: undefined };
    reply({ type: 'failed', code, message: messageOf(error), hint: hint ?? null });
  }
});

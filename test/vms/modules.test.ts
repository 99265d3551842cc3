import test from 'ava';
import { loadOrder } from './modules.ts';

const MODULES_DEP = `kernel/fs/fuse/virtiofs.ko.xz: kernel/fs/fuse/fuse.ko.xz kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
kernel/fs/fuse/fuse.ko.xz:
kernel/drivers/virtio/virtio.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio_ring.ko.xz:
kernel/drivers/net/virtio-net.ko: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
`;

test('modules come after what they need, each once; what is built in is left out', (t) => {
  t.deepEqual(loadOrder(MODULES_DEP, ['virtiofs', 'overlay', 'virtio_net']), [
    'kernel/drivers/virtio/virtio_ring.ko.xz',
    'kernel/drivers/virtio/virtio.ko.xz',
    'kernel/fs/fuse/fuse.ko.xz',
    'kernel/fs/fuse/virtiofs.ko.xz',
    'kernel/drivers/net/virtio-net.ko',
  ]);
});

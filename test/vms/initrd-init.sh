#!/bin/sh
# Process 1 of a QEMU guest in its initial RAM file system: modules, the machine's own / by virtiofs, read-only, an overlay
# in memory on top, then guest-init.sh in it. The kernel hands its parameters on as environment.
PATH=/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" || echo "cannot load $module"; done </modules/order
mount -t virtiofs -o ro host /host || exit 1
mount -t tmpfs -o size=90% up /up
mkdir /up/upper /up/work
mount -t overlay -o lowerdir=/host,upperdir=/up/upper,workdir=/up/work over /root || exit 1
for folder in proc sys dev; do mount -o move "/$folder" "/root/$folder"; done
export WEFT_STAGE=root
exec switch_root /root "$WEFT_FOLDER/guest-init.sh"

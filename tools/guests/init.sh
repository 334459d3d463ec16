#!/bin/sh
# The first program of a guest, from its initramfs: the machine's own files become the guest's root, read-only
# below an overlay in memory, and the kernel's modules are put in their place.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do
    insmod "/modules/$module" || echo "init: no $module"
done
options=trans=virtio,version=9p2000.L,msize=524288,cache=loose
mkdir -p /below /above /new
mount -t 9p -o "ro,$options" machine /below || exec sh
mount -t tmpfs -o mode=755 above /above
mkdir /above/files /above/work
mount -t overlay -o lowerdir=/below,upperdir=/above/files,workdir=/above/work root /new || exec sh
release=$(uname -r)
mkdir -p "/new/lib/modules/$release" /new/run/guest
mount -t 9p -o "ro,$options" modules "/new/lib/modules/$release"
mount -t 9p -o "rw,trans=virtio,version=9p2000.L" results /new/run/guest
umount /proc /sys /dev
exec switch_root /new /bin/sh /run/guest/start

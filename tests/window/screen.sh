#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Inside the Debian: open a virtual screen, and Blender on it with the arguments given. Its output is /out/log.
Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3>/tmp/display >/tmp/xvfb.log 2>&1 &
while [ ! -s /tmp/display ]; do sleep 0.1; done
export DISPLAY=":$(cat /tmp/display)" LIBGL_ALWAYS_SOFTWARE=1
blender --factory-startup --enable-event-simulate --window-geometry 0 0 1600 1000 "$@" >/out/log 2>&1
status=$?
# What Blender started must have ended with it; give it the moment that a closed pipe takes.
sleep 3
for process in /proc/[0-9]*; do
    tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -e '-m generator' >>/out/orphans
done
exit $status

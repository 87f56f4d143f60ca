# Starts auditd. If LAUREL is set, it is the path of laurel, which auditd starts, too. The files are
# in the directory OUT.
mkdir -p "$OUT/audit/plugins.d"
cat >"$OUT/audit/auditd.conf" <<END
log_file = $OUT/audit/log
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 100
num_logs = 2
max_log_file_action = ROTATE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = $OUT/audit/plugins.d
END
chmod 640 "$OUT/audit/auditd.conf"
# laurel makes a JSON line from the records of an event. auditd starts laurel, and passes it the
# records.
if [ -n "${LAUREL-}" ]; then
    mkdir "$OUT/laurel"
    cat >"$OUT/audit/plugins.d/laurel.conf" <<END
active = yes
direction = out
type = always
format = string
path = $LAUREL
args = --config $OUT/laurel.toml
END
    chmod 640 "$OUT/audit/plugins.d/laurel.conf"
    cat >"$OUT/laurel.toml" <<END
directory = "$OUT/laurel"
user = "root"
[auditlog]
file = "log"
size = 500000000
[transform]
execve-argv = ["array"]
[enrich]
container = false
pid = false
script = false
END
fi
ends() {
    auditctl -q -D >/dev/null 2>&1; auditctl -D >/dev/null; auditctl -e 0 >/dev/null
}
trap ends EXIT
auditd -n -c "$OUT/audit" &
sleep 1
auditctl -b 8192 >/dev/null
auditctl -a always,exit -F arch=b64 -S execve -S execveat || exit 1
echo rules are set
wait

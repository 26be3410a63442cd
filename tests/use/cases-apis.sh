# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# APIs over HTTP: curl, rclone, MCP, and what runs with nobody there.

# The server has ended the login, and the stored access token has expired.
lose_the_login() {
  pkce-load work | pkce-revoke >/dev/null || fail 'the login was not revoked'
  expire_the_token
}

# Standard error has pkce-token's message about that.
says_that_the_login_is_lost() {
  grep -qF 'pkce-token: token endpoint: invalid_grant: the grant is revoked' "$case/err" ||
    fail "standard error lacks pkce-token's message: $(cat "$case/err")"
}

# The same for ID tokens, which are valid for their own time.
remove_the_login() {
  pkce-store --remove work
}

says_that_there_is_no_login() {
  grep -qF 'pkce-token: work: nothing is stored under this name' "$case/err" ||
    fail "standard error lacks pkce-token's message: $(cat "$case/err")"
}

prints() {
  is 'standard output' "$(cat "$case/out")" "$1"
}

says() {
  is 'standard error' "$(cat "$case/err")" "$1"
}

ended() {
  is 'the status' "$status" "$1"
}

# Runs a command; what it prints and says is in the files out and err.
runs() {
  "$@" >"$case/out" 2>"$case/err"
  status=$?
}

# The version of a Python package.
version_of_package() {
  "$python" -c 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))' "$1"
}

prepare_curl() {
  serve api
  example curl.sh call -e "s,https://api.example.com,http://127.0.0.1:$port," -e 's,api.example.com,127.0.0.1,'
}

curl_sends_the_token_in_a_header_by_its_configuration_and_as_a_password() {
  prepare_curl
  runs bash call
  says ''
  ended 0
  local response='{"sub": "alice", "path": "/me"}'
  prints "$response$response$response"
  is 'what the API saw' "$(requests api)" 'GET /me Bearer good
GET /me Bearer good
GET /me Basic good'
  did curl "$(curl --version | sed 's/curl \([^ ]*\).*/\1/;q')" 'called an API in three ways'
}
check curl_sends_the_token_in_a_header_by_its_configuration_and_as_a_password

curl_sends_no_token_when_the_login_is_lost() {
  prepare_curl
  lose_the_login
  runs bash call
  says_that_the_login_is_lost
  grep -qxF 'curl: (22) The requested URL returned error: 401' "$case/err" || fail 'curl says something else'
  ended 22
  is 'what the API saw' "$(requests api)" 'GET /me - none
GET /me - none'
}
check curl_sends_no_token_when_the_login_is_lost

# The user and the password of a host, as Python's standard library reads them; like curl, it looks up an IPv6 address
# without brackets.
netrc_in_python() {
  "$python" -c 'import netrc, sys
user, _, password = netrc.netrc(sys.argv[2]).authenticators(sys.argv[1].strip("[]"))
print(user, password)' "$1" <(pkce-token work --as netrc --host "$1")
}

curl_and_Python_find_a_name_and_an_IPv6_address_in_a_netrc_file() {
  serve api
  for host in api.example.com '[::1]'; do
    # Whatever the URL says, the server is the one that was started.
    runs curl --silent --show-error --fail --netrc-file <(pkce-token work --as netrc --host "$host") \
      --connect-to "::127.0.0.1:$port" "http://$host/me"
    says ''
    prints '{"sub": "alice", "path": "/me"}'
    is 'what Python reads' "$(netrc_in_python "$host")" "oauth2 $(pkce-token work -r access_token)"
  done
  is 'what the API saw' "$(requests api)" 'GET /me Basic good
GET /me Basic good'
}
check curl_and_Python_find_a_name_and_an_IPv6_address_in_a_netrc_file

has_no_netrc_line_for_a_port() {
  runs pkce-token work --as netrc --host api.example.com:8443
  ended 2
  prints ''
}
check has_no_netrc_line_for_a_port

prepare_rclone() {
  command -v rclone >/dev/null || left_out 'rclone is missing'
  serve webdav
  example rclone.conf .config/rclone/rclone.conf "s,https://dav.example.com,http://127.0.0.1:$port,"
}

rclone_reads_a_file_over_WebDAV() {
  prepare_rclone
  runs rclone cat work:note.txt
  says ''
  prints 'good morning'
  saw webdav 'GET /files/note.txt Bearer good'
  did rclone "$(rclone version | sed 's/rclone v//;q')" 'read a file over WebDAV'
}
check rclone_reads_a_file_over_WebDAV

rclone_runs_the_command_again_when_the_token_has_expired() {
  prepare_rclone
  # The first time, it prints a token that is no longer good.
  printf '%s\n' '#!/bin/sh' 'if mkdir expired; then echo "expired.$$.token"; else exec pkce-token "$@"; fi' >token
  chmod +x token
  sed -i "s,pkce-token,$HOME/token," .config/rclone/rclone.conf
  runs rclone cat work:note.txt
  prints 'good morning'
  saw webdav 'PROPFIND /files/note.txt Bearer bad'
  saw webdav 'GET /files/note.txt Bearer good'
}
check rclone_runs_the_command_again_when_the_token_has_expired

rclone_says_what_pkce_token_says_when_the_login_is_lost() {
  prepare_rclone
  lose_the_login
  runs rclone cat work:note.txt
  ended 1
  says_that_the_login_is_lost
  is 'what the server saw' "$(requests webdav)" ''
}
check rclone_says_what_pkce_token_says_when_the_login_is_lost

prepare_MCP() {
  "$python" -c 'import mcp' 2>/dev/null || left_out 'the MCP SDK is missing'
  serve mcp=mcp_server
  example mcp.json .mcp.json "s,https://mcp.example.com,http://127.0.0.1:$port,"
}

an_MCP_client_calls_a_tool_with_the_headers_of_a_helper() {
  prepare_MCP
  runs "$python" "$tests/mcp_client.py"
  says ''
  prints 'good morning, alice'
  is 'the tokens that the server saw' "$(requests mcp | sort -u)" '/mcp Bearer good'
  did 'MCP SDK for Python' "$(version_of_package mcp)" 'called a tool of a protected MCP server'
}
check an_MCP_client_calls_a_tool_with_the_headers_of_a_helper

an_MCP_client_does_not_connect_when_the_login_is_lost() {
  prepare_MCP
  lose_the_login
  runs "$python" "$tests/mcp_client.py"
  says_that_the_login_is_lost
  is 'the last line' "$(tail -n 1 "$case/err")" 'headersHelper: status 5'
  ended 1
  is 'what the server saw' "$(requests mcp)" ''
}
check an_MCP_client_does_not_connect_when_the_login_is_lost

can_be_alone() {
  [ "$(id -u)" = 0 ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null
}

# Runs commands as root with the tools in /usr/local/bin, and with nothing that runs on this machine: what they mount
# is not seen outside, and what they start ends with them.
alone() {
  local before='mount -t tmpfs none /run
    mount -t tmpfs none /dev/shm
    mount -t tmpfs none /usr/local/bin
    for tool in "$0"/pkce-*; do [ ! -x "$tool" ] || ln -s "$tool" /usr/local/bin/; done'
  unshare --mount --pid --fork --mount-proc --kill-child \
    bash -euc "$before; $1" "$(dirname "$(command -v pkce-token)")" "${@:2}"
}

prepare_cron() {
  command -v cron >/dev/null || left_out 'cron is missing'
  command -v faketime >/dev/null || left_out 'faketime is missing'
  can_be_alone || left_out 'it requires root and namespaces, to run apart from the cron of this machine'
  serve api
  example crontab crontab "s,https://api.example.com,http://127.0.0.1:$port,"
  # Where cron would use the home directory of the machine's user.
  sed -i "1i HOME=$HOME" crontab
  # cron, and the program to which it gives the mail.
  mkdir sbin
  cp "$(command -v cron)" sbin
  printf '%s\n' '#!/bin/sh' "cat >'$HOME/mail.part' && mv '$HOME/mail.part' '$HOME/mail'" >sbin/sendmail
  chmod +x sbin/sendmail
}

# Lets cron's clock reach a full five minutes, and waits for a file that its job leaves.
at_five_minutes_cron_leaves() {
  alone 'mount -t tmpfs none /var/spool/cron/crontabs
    mount -t tmpfs none /etc/cron.d
    mount --bind /dev/null /etc/crontab
    mount --bind sbin /usr/sbin
    crontab crontab
    faketime -f "@2026-01-01 11:59:58" cron -f &
    for _ in {1..200}; do [ ! -s "$1" ] || exit 0; sleep 0.1; done
    exit 1' "$1" || fail "cron left no $1"
}

cron_fetches_a_report() {
  prepare_cron
  at_five_minutes_cron_leaves report.json
  is 'the report' "$(cat report.json)" '{"sub": "alice", "path": "/report"}'
  is 'what the API saw' "$(requests api)" 'GET /report Bearer good'
  did cron "$(dpkg-query --show --showformat '${Version}' cron 2>/dev/null)" 'fetched a report'
}
check cron_fetches_a_report

cron_sends_mail_when_the_login_is_lost() {
  prepare_cron
  lose_the_login
  at_five_minutes_cron_leaves mail
  mv mail "$case/err"
  says_that_the_login_is_lost
  grep -qx 'To: you@example.com' "$case/err" || fail 'the mail is for another'
  is 'what the API saw' "$(requests api)" ''
}
check cron_sends_mail_when_the_login_is_lost

prepare_systemd() {
  command -v systemd-analyze >/dev/null || left_out 'systemd is missing'
  can_be_alone || left_out 'it requires root and namespaces, to run apart from the systemd of this machine'
  serve api
  example report.timer .config/systemd/user/report.timer
  example report.service .config/systemd/user/report.service "s,https://api.example.com,http://127.0.0.1:$port,"
  # There is no journal.
  mkdir .config/systemd/user/report.service.d
  printf '%s\n' '[Service]' 'StandardError=append:%h/journal' >.config/systemd/user/report.service.d/journal.conf
}

# Runs commands with the user manager of systemd.
with_systemd() {
  alone 'export XDG_RUNTIME_DIR=/run/user
    mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
    /usr/lib/systemd/systemd --user --unit=timers.target --log-level=warning --log-target=console &
    for _ in {1..100}; do ! systemctl --user is-active --quiet timers.target || break; sleep 0.1; done
    status=0
    ('"$1"') || status=$?
    systemctl --user exit
    wait
    exit "$status"'
  local status=$?
  # It leaves these empty.
  find /sys/fs/cgroup -depth -type d -name init.scope -newer "$case/login.err" -exec rmdir {} + 2>/dev/null
  return "$status"
}

systemd_fetches_a_report() {
  prepare_systemd
  runs with_systemd 'systemd-analyze --user verify report.service report.timer
    systemctl --user enable --now report.timer
    systemctl --user is-active report.timer
    systemctl --user start report.service'
  cat "$case/err"
  ended 0
  prints active
  is 'the report' "$(cat report.json)" '{"sub": "alice", "path": "/report"}'
  is 'what the API saw' "$(requests api)" 'GET /report Bearer good'
  did systemd "$(systemctl --version | sed 's/systemd \([^ ]*\).*/\1/;q')" 'fetched a report'
}
check systemd_fetches_a_report

systemd_has_a_failed_unit_when_the_login_is_lost() {
  prepare_systemd
  lose_the_login
  runs with_systemd 'systemctl --user start report.service ||
    systemctl --user show --property ExecMainStatus report.service'
  prints 'ExecMainStatus=115'
  mv journal "$case/err"
  says_that_the_login_is_lost
  is 'what the API saw' "$(requests api)" ''
}
check systemd_has_a_failed_unit_when_the_login_is_lost

# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# Programs that read and send mail, each with Debian's Dovecot, which asks about each token. They work with servers that
# offer only one mechanism, OAUTHBEARER or XOAUTH2, and with a new token where the stored one has expired. They say it
# if the server refuses the token, and if there is none.

has() {
  command -v "$1" >/dev/null || left_out "install the package $2"
}

version_of() {
  "$@" | grep -o -m 1 '[0-9][0-9.]*' | head -n 1
}

# Starts a mail server with one message in its mailbox; its argument is the only mechanism that it offers.
serve_mail() {
  export PATH=$PATH:/usr/sbin
  has dovecot 'dovecot-imapd, and dovecot-submissiond'
  [[ "$(dovecot --version)" = 2.3.* ]] || left_out 'the configuration is for Dovecot 2.3'
  mail=$case/$1
  mkdir -p "$mail/mailbox"/{cur,new,tmp}
  printf '%s\n' 'From: bob@example.com' 'To: alice@example.com' 'Subject: the first message' \
    'Message-ID: <first@example.com>' '' 'It is in the mailbox.' >"$mail/mailbox/new/first"
  # Dovecot reads no mail as root, but as a user who must get there.
  chmod 711 "$work" "$case"
  serve "$1=mail" --tls "$certificate" "$key" --place "$mail" --mechanisms "${1,,}"
  read -r imaps submissions submission <<<"$port"
  in_url="s/imap\.example\.com/localhost:$imaps/; s/smtp\.example\.com/localhost:$submissions/"
  # In English, with the test's certificate, and apart from an aerc that the caller has running.
  export LC_ALL=C.UTF-8 XDG_RUNTIME_DIR=$TMPDIR SSL_CERT_FILE=$certificate CURL_CA_BUNDLE=$certificate
}

at_a_terminal() {
  "$python" "$tests/terminal.py" "$@"
}

# The file has the message of the mailbox.
has_read() {
  grep -qF 'It is in the mailbox.' "$1" || fail "the message was not read: $(cat "$1")"
}

# The server has got a message with this subject.
has_sent() {
  grep -qxF "Subject: $1" "$mail/sent"/* || fail 'the message was not sent'
}

has_sent_nothing() {
  [ -z "$(ls "$mail/sent")" ] || fail 'a message was sent'
}

# The server has taken this many tokens.
took() {
  is 'the requests' "$(requests "$1" | sort | uniq -c | xargs)" "$2 POST /introspect introspection good"
}

refused() {
  is 'the requests' "$(requests "$1" | sort -u)" 'POST /introspect introspection bad'
}

# The program has said this; what it says is in the file said.
has_said() {
  grep -qF -e "$1" said || fail "the program does not say: $1: $(cat said)"
}

curl_reads_mail() {
  has curl curl
  for mechanism in OAUTHBEARER XOAUTH2; do
    serve_mail "$mechanism"
    expire_the_token
    example curl-imap.sh ./curl-imap.sh "$in_url"
    sh ./curl-imap.sh >message || fail 'curl failed'
    has_read message
    took "$mechanism" 1
  done
  did 'curl over IMAP' "$(version_of curl --version)" 'read a message with OAUTHBEARER and with XOAUTH2'
}
check curl_reads_mail

curl_says_why_it_reads_no_mail() {
  has curl curl
  serve_mail OAUTHBEARER
  example curl-imap.sh ./curl-imap.sh "$in_url"
  revoke_the_token
  ! sh ./curl-imap.sh >message 2>said || fail 'curl succeeded'
  is 'what it says' "$(cat said)" 'curl: (67) Login denied'
  pkce-store --remove work
  ! sh ./curl-imap.sh >>message 2>said || fail 'curl succeeded'
  has_said 'pkce-token: work: '
  is 'what it has read' "$(cat message)" ''
  refused OAUTHBEARER
}
check curl_says_why_it_reads_no_mail

# The example of mutt, or of NeoMutt, where it reads it.
configure_mutt() {
  case $1 in
  mutt) example muttrc "$HOME/.muttrc" "$in_url" ;;
  neomutt) example neomuttrc "$HOME/.config/neomutt/neomuttrc" "$in_url" ;;
  esac
}

# Copies the message to the file copy and leaves; if there is no mailbox, it only leaves.
read_with() {
  at_a_terminal 'No mailbox is open' q -- "$1" -e "set ssl_ca_certificates_file = '$certificate'" \
    -e 'set confirmcreate = no' -e 'set confirmappend = no' -e 'set quit = yes' \
    -e 'push "<copy-message><kill-line>./copy<enter><quit>"'
}

send_with() {
  echo 'It was sent.' | "$1" -e "set ssl_ca_certificates_file = '$certificate'" -e 'set copy = no' \
    -s 'the second message' -- bob@example.com
}

reads_and_sends_mail() {
  has "$1" "$1"
  for mechanism in OAUTHBEARER XOAUTH2; do
    serve_mail "$mechanism"
    configure_mutt "$1"
    read_with "$1" || fail "$1 failed"
    has_read copy
    rm copy
    expire_the_token
    send_with "$1" || fail "$1 failed"
    has_sent 'the second message'
    took "$mechanism" 2
  done
  did "$1" "$(version_of "$1" -v)" 'read a message over IMAP and sent one, with OAUTHBEARER and with XOAUTH2'
}

mutt_reads_and_sends_mail() {
  reads_and_sends_mail mutt
}
check mutt_reads_and_sends_mail

neomutt_reads_and_sends_mail() {
  reads_and_sends_mail neomutt
}
check neomutt_reads_and_sends_mail

says_why_it_has_no_mail() {
  has "$1" "$1"
  serve_mail OAUTHBEARER
  configure_mutt "$1"
  revoke_the_token
  read_with "$1" >said
  [ "$1" = neomutt ] || has_said 'OAUTHBEARER authentication failed.'
  has_said 'No mailbox is open'
  ! send_with "$1" >said 2>&1 || fail "$1 succeeded"
  has_said 'Could not send the message'
  pkce-store --remove work
  read_with "$1" >said
  has_said 'pkce-token: work: '
  ! send_with "$1" >said 2>&1 || fail "$1 succeeded"
  has_said 'pkce-token: work: '
  [ ! -e copy ] || fail 'a message was read'
  has_sent_nothing
  refused OAUTHBEARER
}

mutt_says_why_it_has_no_mail() {
  says_why_it_has_no_mail mutt
}
check mutt_says_why_it_has_no_mail

neomutt_says_why_it_has_no_mail() {
  says_why_it_has_no_mail neomutt
}
check neomutt_says_why_it_has_no_mail

configure_msmtp() {
  example msmtprc "$HOME/.msmtprc" -e "s/smtp\.example\.com/localhost/; s/port 587/port $submission/" \
    -e "s/oauthbearer/${1,,}/"
}

send_with_msmtp() {
  printf '%s\n' 'To: bob@example.com' 'Subject: the second message' '' 'It was sent.' |
    msmtp --tls-trust-file="$certificate" -t
}

msmtp_sends_mail() {
  has msmtp msmtp
  for mechanism in OAUTHBEARER XOAUTH2; do
    serve_mail "$mechanism"
    configure_msmtp "$mechanism"
    expire_the_token
    send_with_msmtp || fail 'msmtp failed'
    has_sent 'the second message'
    took "$mechanism" 1
  done
  did msmtp "$(version_of msmtp --version)" 'sent a message with OAUTHBEARER and with XOAUTH2'
}
check msmtp_sends_mail

msmtp_says_why_it_sends_no_mail() {
  has msmtp msmtp
  serve_mail OAUTHBEARER
  configure_msmtp OAUTHBEARER
  revoke_the_token
  ! send_with_msmtp 2>said || fail 'msmtp succeeded'
  has_said 'msmtp: authentication failed (method OAUTHBEARER)'
  pkce-store --remove work
  ! send_with_msmtp 2>said || fail 'msmtp succeeded'
  has_said 'pkce-token: work: '
  has_sent_nothing
  refused OAUTHBEARER
}
check msmtp_says_why_it_sends_no_mail

configure_mbsync() {
  has mbsync isync
  compgen -G '/usr/lib/*/sasl2/libkdexoauth2.so' >/dev/null ||
    left_out 'install the package libsasl2-modules-kdexoauth2'
  serve_mail XOAUTH2
  example mbsyncrc "$HOME/.mbsyncrc" "s/^Host .*/Host localhost\nPort $imaps/"
  mkdir Mail
}

mbsync_copies_mail() {
  configure_mbsync
  mbsync work || fail 'mbsync failed'
  cat Mail/INBOX/*/* >message
  has_read message
  rm Mail/INBOX/*/*
  printf '%s\n' 'Subject: the third message' '' 'It is in the mailbox.' >"$mail/mailbox/new/third"
  chmod a+r "$mail/mailbox/new/third"
  expire_the_token
  mbsync work || fail 'mbsync failed'
  cat Mail/INBOX/*/* >message
  has_read message
  took XOAUTH2 2
  did 'mbsync, kdexoauth2' "$(version_of mbsync --version)" 'copied a mailbox over IMAP with XOAUTH2'
}
check mbsync_copies_mail

mbsync_says_why_it_copies_no_mail() {
  configure_mbsync
  revoke_the_token
  # It then waits for the server, and the server for it, for three minutes, unless it is interrupted.
  ! at_a_terminal 'wants more steps' '\x03' -- mbsync -q work >said || fail 'mbsync succeeded'
  has_said 'Error: IMAP wants more steps despite successful SASL authentication.'
  pkce-store --remove work
  ! mbsync work 2>said || fail 'mbsync succeeded'
  has_said 'pkce-token: work: '
  has_said 'Skipping account work, PassCmd exited with status 5'
  [ ! -e Mail/INBOX ] || fail 'mail was copied'
  refused XOAUTH2
}
check mbsync_says_why_it_copies_no_mail

configure_aerc() {
  has aerc aerc
  serve_mail "$1"
  example aerc-accounts.conf "$HOME/.config/aerc/accounts.conf" "$in_url; s/oauthbearer/${1,,}/"
}

# Types every second argument as soon as the one before it is on the screen.
read_with_aerc() {
  at_a_terminal "$@" -- aerc
}

# Sends the message as it is, and types the second argument as soon as the first is on the screen.
send_with_aerc() {
  EDITOR=true at_a_terminal 'Send this email?' y "$1" "$2" -- \
    aerc 'mailto:bob@example.com?subject=the%20second%20message&body=It%20was%20sent.'
}

aerc_reads_and_sends_mail() {
  for mechanism in OAUTHBEARER XOAUTH2; do
    configure_aerc "$mechanism"
    read_with_aerc 'the first message' ":export-mbox $HOME/copy\\r" 'Exported 1 of 1' ':quit\r' || fail 'aerc failed'
    has_read copy
    rm copy
    expire_the_token
    send_with_aerc 'Message sent' ':quit\r' || fail 'aerc failed'
    has_sent 'the second message'
    is 'the requests' "$(requests "$mechanism" | sort -u)" 'POST /introspect introspection good'
  done
  did aerc "$(version_of aerc -v)" 'read a message over IMAP and sent one, with OAUTHBEARER and with XOAUTH2'
}
check aerc_reads_and_sends_mail

aerc_says_that_it_has_no_mail() {
  configure_aerc OAUTHBEARER
  revoke_the_token
  read_with_aerc 'authentication error' ':quit\r' >said
  has_said 'work: OAUTHBEARER authentication error (invalid_token)'
  send_with_aerc 'send:: ' 'n:quit\r' >said
  has_said 'send:: conn.Auth: OAUTHBEARER authentication error (invalid_token)'
  pkce-store --remove work
  ! read_with_aerc >said || fail 'aerc succeeded'
  has_said 'Invalid source credentials for work: failed to read password: exit status 5'
  has_sent_nothing
  refused OAUTHBEARER
}
check aerc_says_that_it_has_no_mail

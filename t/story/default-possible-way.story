# Mail for users of this host may go to a mailbox_transport, or where aliases(5) and .forward say: nobody knows before.
hop local lmtp:unix:private/dovecot-lmtp transport
at 0s  probe socket-missing hard -> down
at 1s  mail other possibly -> tag
at 1s  mail authenticated possibly -> tag
at 1s  mail local possibly -> tag
at 1s  mail reentry possibly -> accept
at 1s  mail other -> tempfail "451 4.4.1 transport is temporarily unavailable: socket does not exist"

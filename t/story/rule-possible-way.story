# Where mail may well take another way, a rule that says what to do is obeyed, one that says nothing about it is not.
hop local lmtp:unix:private/dovecot-lmtp transport
rule "words only" { client = "other" detail = "full" }
rule "mailboxes" { hop = "lmtp:*" action = "tempfail" }
at 0s  probe socket-missing hard -> down
at 1s  mail other possibly -> tag
at 1s  mail mynetworks possibly -> tempfail "451 4.4.1 transport lmtp:unix:private/dovecot-lmtp is down since 00:00:00Z: socket does not exist"

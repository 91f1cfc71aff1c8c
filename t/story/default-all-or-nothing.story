# Only a mail program of a user may not lose one recipient of several without its user noticing.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s  probe connection-refused hard -> down
at 1s  all-or-nothing authenticated -> yes
at 1s  all-or-nothing authenticated mynetworks -> yes
at 1s  all-or-nothing mynetworks -> no
at 1s  all-or-nothing other -> no
at 1s  all-or-nothing local -> no
at 1s  all-or-nothing reentry -> no

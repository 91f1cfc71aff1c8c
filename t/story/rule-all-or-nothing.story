# "all_or_nothing" can be said either way.
hop remote smtp:[relay.example.net]:587 relayhost
rule "lists" { client = "authenticated" sender = "list@*" all_or_nothing = false }
rule "scanners" { client = "mynetworks" all_or_nothing = true }
at 0s  probe connection-refused hard -> down
at 1s  all-or-nothing authenticated from list@a.example -> no
at 1s  all-or-nothing authenticated from user@a.example -> yes
at 1s  all-or-nothing mynetworks -> yes
at 1s  all-or-nothing other -> no

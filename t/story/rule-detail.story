# "detail" turns the words around, and nothing else.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "partners" { client = {"192.0.2.0/24"} detail = "full" }
rule "no names" { detail = "brief" }
at 0s  probe connection-refused hard -> down
at 1s  mail other at 192.0.2.9 -> tempfail "451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 00:00:00Z: connection refused"
at 1s  mail authenticated -> tempfail "451 4.4.1 content filter is temporarily unavailable: connection refused"
at 1s  all-or-nothing authenticated -> yes
at 1s  mail local -> tag
at 1s  mail reentry -> accept

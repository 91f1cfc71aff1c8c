# The relay is taken out of service: refused like what is down, and those who know it read why.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 60s  force down saying new disks, back at 18:00 -> forced-down
at 61s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: down for maintenance"
at 61s  mail mynetworks -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:01:00Z: down for maintenance (new disks, back at 18:00)"
at 61s  mail authenticated -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:01:00Z: down for maintenance (new disks, back at 18:00)"
at 61s  all-or-nothing authenticated -> yes
at 61s  mail local -> tag
at 61s  mail reentry -> accept
at 61s  header -> Failfast-Status: mx.example.com; state=forced-down; hop="smtp:[relay.example.net]:587"; role=relayhost; reason=maintenance; comment="new disks, back at 18:00"; since=1970-01-01T00:01:00Z; id=ID
# Probes say what they want.
at 70s  probe connection-refused hard -> down
at 71s  look -> forced-down
at 80s  probe ok -> down
at 81s  probe ok -> up
at 81s  look -> forced-down

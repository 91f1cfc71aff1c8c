# Always: also about what is fine.
hop remote smtp:[relay.example.net]:587 relayhost
option tag = "always"
at 0s  probe ok -> up
at 1s  header -> Failfast-Status: mx.example.com; state=up; hop="smtp:[relay.example.net]:587"; role=relayhost; since=1970-01-01T00:00:00Z; id=ID
at 2s  force up saying trust me -> forced-up
at 2s  header -> Failfast-Status: mx.example.com; state=forced-up; hop="smtp:[relay.example.net]:587"; role=relayhost; comment="trust me"; since=1970-01-01T00:00:02Z; id=ID

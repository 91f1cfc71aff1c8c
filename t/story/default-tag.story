# Problems are told in the header, with the name of the hop.
hop remote smtp:[relay.example.net]:587 relayhost
default tag -> problems
default header -> Failfast-Status
default header_detail -> full
at 0s  header -> Failfast-Status: mx.example.com; state=unknown; hop="smtp:[relay.example.net]:587"; role=relayhost; since=1970-01-01T00:00:00Z; id=ID
at 1s  probe ok -> up
at 1s  header -> none
at 2s  probe slow -> degraded
at 2s  header -> Failfast-Status: mx.example.com; state=degraded; hop="smtp:[relay.example.net]:587"; role=relayhost; reason=slow; since=1970-01-01T00:00:02Z; id=ID
at 3s  probe auth-rejected hard -> down
at 3s  header -> Failfast-Status: mx.example.com; state=down; hop="smtp:[relay.example.net]:587"; role=relayhost; reason=auth-rejected; since=1970-01-01T00:00:03Z; id=ID
at 4s  force up -> forced-up
at 4s  header -> none

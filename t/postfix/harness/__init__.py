"""A private mail site for tests: Postfix, the milter, amavis, sick peers, in own namespaces."""

"""What makes a statement of an expansion one page: it is made once, and run with these values."""

import sqlalchemy as sa

AFTER: sa.BindParameter[int] = sa.bindparam("p_after", type_=sa.BigInteger)
"""The id before the page's first."""
LAST: sa.BindParameter[int] = sa.bindparam("p_last", type_=sa.BigInteger)
"""Its last id."""
LIMIT: sa.BindParameter[int] = sa.bindparam("p_limit", type_=sa.Integer)
"""How many people it has at most."""
NOW: sa.BindParameter[int] = sa.bindparam("p_now", type_=sa.BigInteger)
"""When it is written, ms."""

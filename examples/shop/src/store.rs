//! The shop's database.

use rusqlite::{Connection, OptionalExtension, Result, params};
use std::path::Path;
use std::rc::Rc;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS goods (
        name TEXT PRIMARY KEY,
        cents INTEGER NOT NULL,
        -- Pieces on the shelf, and pieces that ever were delivered.
        stock INTEGER NOT NULL CHECK (stock >= 0),
        delivered INTEGER NOT NULL
    ) STRICT;
    -- Pieces that are put aside until they are paid.
    CREATE TABLE IF NOT EXISTS holds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL REFERENCES goods,
        count INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS sales (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL REFERENCES goods,
        count INTEGER NOT NULL,
        cents INTEGER NOT NULL
    ) STRICT;
";

/// What one piece costs, in cents, and how many are on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub cents: u32,
    pub stock: u32,
}

/// A sale, as it stands in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub id: u64,
    pub name: String,
    pub count: u32,
    pub cents: u64,
}

/// The goods and the books of a shop. Every method is one transaction.
pub struct Store {
    db: Connection,
}

impl Store {
    /// Opens the database in a file, and makes it if there is none.
    ///
    /// # Errors
    /// If SQLite cannot open the file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with(Connection::open(path)?)
    }

    /// Makes an empty database in memory.
    ///
    /// # Errors
    /// If SQLite cannot make one.
    pub fn in_memory() -> Result<Self> {
        Self::with(Connection::open_in_memory()?)
    }

    /// The connection, for reports and repairs.
    pub fn db(&self) -> &Connection {
        &self.db
    }

    fn with(db: Connection) -> Result<Self> {
        db.pragma_update(None, "foreign_keys", true)?;
        db.execute_batch(TABLES)?;
        Ok(Store { db })
    }

    /// Sets the price of a piece, in cents. New goods have no stock.
    pub fn set_price(&self, name: &str, cents: u32) -> Result<()> {
        let sql = "INSERT INTO goods VALUES (?1, ?2, 0, 0) ON CONFLICT (name) DO UPDATE SET cents = ?2";
        self.db.execute(sql, params![name, cents]).map(drop)
    }

    /// The price and the stock of some goods; `None` if the shop does not sell them.
    pub fn price(&self, name: &str) -> Result<Option<Price>> {
        let sql = "SELECT cents, stock FROM goods WHERE name = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok(Price { cents: row.get(0)?, stock: row.get(1)? });
        self.db.query_row(sql, [name], row).optional()
    }

    /// Puts delivered goods on the shelf: all of them, or none if one is not sold here.
    pub fn deliver(&self, items: &[(String, u32)]) -> Result<()> {
        let all = self.db.unchecked_transaction()?;
        for (name, count) in items {
            let sql = "UPDATE goods SET stock = stock + ?2, delivered = delivered + ?2 WHERE name = ?1";
            if all.execute(sql, params![name, count])? == 0 {
                return Err(rusqlite::Error::QueryReturnedNoRows);
            }
        }
        all.commit()
    }

    /// Takes some pieces from the shelf and puts them aside; `None` if there are too few.
    pub fn hold(self: &Rc<Self>, name: &str, count: u32) -> Result<Option<Hold>> {
        let both = self.db.unchecked_transaction()?;
        let sql = "UPDATE goods SET stock = stock - ?2 WHERE name = ?1 AND stock >= ?2";
        if both.execute(sql, params![name, count])? == 0 {
            return Ok(None);
        }
        both.execute("INSERT INTO holds (name, count) VALUES (?1, ?2)", params![name, count])?;
        let id = both.last_insert_rowid();
        both.commit()?;
        Ok(Some(Hold { store: self.clone(), id: Some(id) }))
    }

    fn put_back(&self, hold: i64) -> Result<()> {
        let both = self.db.unchecked_transaction()?;
        let sql = "UPDATE goods SET stock = stock + holds.count FROM holds \
                   WHERE holds.id = ?1 AND goods.name = holds.name";
        both.execute(sql, [hold])?;
        both.execute("DELETE FROM holds WHERE id = ?1", [hold])?;
        both.commit()
    }

    fn sell(&self, hold: i64, cents: u64) -> Result<u64> {
        let both = self.db.unchecked_transaction()?;
        let sql = "INSERT INTO sales (name, count, cents) SELECT name, count, ?2 FROM holds WHERE id = ?1";
        both.execute(sql, params![hold, cents.cast_signed()])?;
        let id = both.last_insert_rowid();
        both.execute("DELETE FROM holds WHERE id = ?1", [hold])?;
        both.commit()?;
        Ok(id.cast_unsigned())
    }

    /// The sales so far, in order.
    pub fn sales(&self) -> Result<Vec<Sale>> {
        let mut rows = self.db.prepare("SELECT id, name, count, cents FROM sales ORDER BY id")?;
        let sale = |row: &rusqlite::Row<'_>| {
            let (id, cents): (i64, i64) = (row.get(0)?, row.get(3)?);
            Ok(Sale {
                id: id.cast_unsigned(),
                name: row.get(1)?,
                count: row.get(2)?,
                cents: cents.cast_unsigned(),
            })
        };
        rows.query_map([], sale)?.collect()
    }

    /// The number of pieces that are put aside.
    pub fn held(&self) -> Result<u32> {
        self.db.query_row("SELECT coalesce(sum(count), 0) FROM holds", [], |row| row.get(0))
    }

    /// Goods whose books are wrong, each in words: what was delivered must be on the shelf, put aside or sold.
    pub fn wrong_books(&self) -> Result<Vec<String>> {
        let sql = "SELECT name, delivered, stock,
                coalesce((SELECT sum(count) FROM holds WHERE holds.name = goods.name), 0) AS held,
                coalesce((SELECT sum(count) FROM sales WHERE sales.name = goods.name), 0) AS sold
            FROM goods WHERE delivered != stock + held + sold ORDER BY name";
        let mut rows = self.db.prepare(sql)?;
        let words = |row: &rusqlite::Row<'_>| {
            let (name, delivered): (String, u32) = (row.get(0)?, row.get(1)?);
            let (stock, held, sold): (u32, u32, u32) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(format!(
                "{name}: {delivered} delivered, but {stock} on the shelf, {held} held and {sold} sold"
            ))
        };
        rows.query_map([], words)?.collect()
    }
}

/// Pieces that are put aside for a customer. They go back to the shelf if it is dropped unsold, as when the customer's
/// link breaks.
pub struct Hold {
    store: Rc<Store>,
    id: Option<i64>,
}

impl Hold {
    /// Sells them. Returns the number of the sale.
    pub fn sell(mut self, cents: u64) -> Result<u64> {
        let id = self.id.expect("a hold is sold once");
        let sale = self.store.sell(id, cents)?;
        self.id = None;
        Ok(sale)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(id) = self.id
            && let Err(e) = self.store.put_back(id)
        {
            eprintln!("the pieces of hold {id} stay put aside: {e}");
        }
    }
}

-- What the target of mariadb_sync.py has from earlier: other rows, definitions that the source has changed or does not
-- have, and a table to keep. {owner} is the DEFINER of the triggers.

CREATE OR REPLACE USER writer@'127.0.0.1' IDENTIFIED BY 'w#2;''x y';
GRANT ALL ON fkk.* TO writer@'127.0.0.1';
GRANT ALL ON `fkk\_sync\_new`.* TO writer@'127.0.0.1';
GRANT ALL ON `fkk\_sync\_old`.* TO writer@'127.0.0.1';
CREATE DATABASE fkk; USE fkk;
CREATE TABLE sections (id INT PRIMARY KEY, name VARCHAR(60));
CREATE TABLE packages (id INT PRIMARY KEY, section INT, name VARCHAR(100), FOREIGN KEY (section) REFERENCES sections (id));
CREATE TABLE changes (what VARCHAR(200));
CREATE TABLE obsolete (id INT);
CREATE TABLE operators (id INT PRIMARY KEY, name VARCHAR(40), left_on DATE NOT NULL DEFAULT '0000-00-00');
INSERT INTO sections VALUES (1, 'old');
INSERT INTO packages SELECT seq, 1, CONCAT('old ', seq) FROM seq_1_to_200;
INSERT INTO operators (id, name) VALUES (1, 'budi'), (2, 'rina');
CREATE DEFINER={owner} TRIGGER packages_old AFTER INSERT ON packages FOR EACH ROW INSERT INTO changes VALUES (NEW.name);
CREATE DEFINER={owner} TRIGGER sections_old BEFORE INSERT ON sections FOR EACH ROW SET NEW.name = UPPER(NEW.name);
CREATE TRIGGER operators_kept BEFORE INSERT ON operators FOR EACH ROW SET NEW.name = UPPER(NEW.name);
CREATE VIEW heavy AS SELECT name FROM packages;
CREATE VIEW obsolete_view AS SELECT id FROM obsolete;
CREATE PROCEDURE tidy () SELECT 'old';
CREATE PROCEDURE obsolete_procedure () SELECT 1;
CREATE EVENT obsolete_event ON SCHEDULE EVERY 1 DAY DO DELETE FROM changes;

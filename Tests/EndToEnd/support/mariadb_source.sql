-- A source of mariadb_sync.py. {database} is its name, {rows} a file of package records. The account ghost exists at the
-- source only.

CREATE OR REPLACE USER ghost@'10.%';
GRANT ALL ON *.* TO ghost@'10.%';
GRANT SELECT, SHOW VIEW, EXECUTE, TRIGGER, EVENT ON {database}.* TO reader@'127.0.0.1';
CREATE DATABASE {database}; USE {database};
CREATE TABLE sections (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL UNIQUE, since DATE NOT NULL DEFAULT '0000-00-00');
CREATE TABLE packages (
    id INT AUTO_INCREMENT PRIMARY KEY, section INT NOT NULL, name VARCHAR(100) NOT NULL, version VARCHAR(100) NOT NULL,
    size BIGINT, maintainer TEXT, description TEXT, digest BINARY(16), shouted VARCHAR(100) AS (UPPER(name)) VIRTUAL,
    released DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', checked TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00',
    KEY (name), FOREIGN KEY (section) REFERENCES sections (id));
CREATE TABLE changes (what VARCHAR(200), noted DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00');
CREATE TABLE `odd ``name -x` (text VARCHAR(100));
CREATE TABLE empty (id INT);
CREATE TABLE operators (id INT PRIMARY KEY, name VARCHAR(40));
CREATE SEQUENCE numbers START WITH 5;
CREATE OR REPLACE TEMPORARY TABLE loaded (section VARCHAR(60), name VARCHAR(100), version VARCHAR(100), size BIGINT, maintainer TEXT, description TEXT);
LOAD DATA LOCAL INFILE '{rows}' INTO TABLE loaded CHARACTER SET utf8mb4;
INSERT INTO sections (id, name) SELECT ROW_NUMBER() OVER (ORDER BY section), section FROM (SELECT DISTINCT section FROM loaded) AS s;
UPDATE sections SET since = '2024-02-29' WHERE id = 1;
INSERT INTO packages (section, name, version, size, maintainer, description, digest)
    SELECT s.id, l.name, version, size, maintainer, description, UNHEX(MD5(l.name)) FROM loaded AS l JOIN sections AS s ON s.name = l.section;
UPDATE packages SET released = '2023-06-10 12:00:00', checked = '2024-01-01 00:00:00' WHERE id % 3 = 0;
INSERT INTO changes (what) SELECT name FROM packages WHERE id <= 500;
INSERT INTO changes VALUES (NULL, '0000-00-00 00:00:00'), ('(1,2);\nINSERT INTO `x` VALUES\n\\', NOW()), ('😀 '' " \t\r\0\Z', NOW());
INSERT INTO `odd ``name -x` VALUES ('x');
INSERT INTO operators VALUES (1, 'somebody at the source');
DO NEXTVAL(numbers);
DELIMITER ;;
CREATE DEFINER=ghost@'10.%' FUNCTION twice (a INT) RETURNS INT DETERMINISTIC RETURN 2 * a;;
CREATE DEFINER=ghost@'10.%' PROCEDURE tidy (IN days INT) COMMENT 'nightly'
BEGIN
    -- CREATE DEFINER=`ghost`@`10.%` PROCEDURE in a comment, which stays
    DELETE FROM changes WHERE noted < NOW() - INTERVAL days DAY AND noted <> '0000-00-00 00:00:00';
END;;
CREATE DEFINER=ghost@'10.%' Trigger {database}.packages_added
  After Insert ON {database} . packages FOR EACH
  ROW BEGIN
    /* the head names the database, and this comment stays */
    INSERT INTO changes (what, noted) VALUES (CONCAT(NEW.name, ' ✓'), NOW());
END;;
CREATE DEFINER=ghost@'10.%' TRIGGER packages_again AFTER INSERT ON packages FOR EACH ROW INSERT INTO changes (what) VALUES ('again');;
CREATE DEFINER=ghost@'10.%' EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2024-01-01 03:00:00' DO CALL tidy(30);;
DELIMITER ;
CREATE DEFINER=ghost@'10.%' SQL SECURITY DEFINER VIEW totals AS
    SELECT section, twice(COUNT(*)) AS doubled, 'DEFINER=`x`@`y` ' AS note FROM packages GROUP BY section;
CREATE DEFINER=ghost@'10.%' SQL SECURITY INVOKER VIEW heavy AS
    SELECT s.name, t.doubled, (SELECT COUNT(*) FROM operators) AS operators FROM totals AS t JOIN sections AS s ON s.id = t.section;

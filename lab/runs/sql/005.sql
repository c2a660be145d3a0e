-- Accuracy on plain training images.

ALTER TABLE epochs ADD COLUMN plain_train_loss REAL;
ALTER TABLE epochs ADD COLUMN plain_train_accuracy REAL;

"""The book's TinySSD in plain PyTorch: the peer of `train_tiny_ssd.py`.

Model, targets, loss and optimizer as section 13.7 of Dive into Deep Learning prints them, written
against its text. `tuned=True` keeps the mathematics and uses what PyTorch offers: channels-last
memory and bfloat16 autocast; the targets stay the book's loops.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  as every PyTorch program writes it

SIZES = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]
RATIOS = [[1, 2, 0.5]] * 5
ANCHORS_PER_CELL = 4


def multibox_prior(height, width, sizes, ratios):
    """Section 13.4.1: anchors (height * width * 4, 4) xyxy."""
    sizes, ratios = torch.tensor(sizes), torch.tensor(ratios)
    center_y, center_x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij"
    )
    center_y, center_x = center_y.reshape(-1), center_x.reshape(-1)
    w = torch.cat((sizes * ratios[0].sqrt(), sizes[0] * ratios[1:].sqrt())) * height / width
    h = torch.cat((sizes / ratios[0].sqrt(), sizes[0] / ratios[1:].sqrt()))
    corners = torch.stack((-w, -h, w, h)).T.repeat(height * width, 1) / 2
    centers = torch.stack([center_x, center_y, center_x, center_y], dim=1)
    return centers.repeat_interleave(ANCHORS_PER_CELL, dim=0) + corners


def box_iou(boxes1, boxes2):
    """Section 13.4.2."""
    areas1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    areas2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    upper_left = torch.max(boxes1[:, None, :2], boxes2[:, :2])
    lower_right = torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (lower_right - upper_left).clamp(min=0)
    inter = sides[:, :, 0] * sides[:, :, 1]
    return inter / (areas1[:, None] + areas2 - inter)


def assign_anchor_to_bbox(ground_truth, anchors, iou_threshold=0.5):
    """Section 13.4.3: the index of each anchor's box, -1 for none."""
    jaccard = box_iou(anchors, ground_truth)
    assigned = torch.full((len(anchors),), -1, dtype=torch.long)
    best, box = torch.max(jaccard, dim=1)
    rows = torch.nonzero(best >= iou_threshold).reshape(-1)
    assigned[rows] = box[best >= iou_threshold]
    for _ in range(len(ground_truth)):
        place = torch.argmax(jaccard)
        box_row = (place % len(ground_truth)).long()
        anchor_row = (place / len(ground_truth)).long()
        assigned[anchor_row] = box_row
        jaccard[:, box_row] = -1
        jaccard[anchor_row, :] = -1
    return assigned


def to_center(boxes):
    """Corners to (centre x, centre y, width, height)."""
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def multibox_target(anchors, labels):
    """Section 13.4.3: offsets, masks (B, 4 A) and classes (B, A), a picture at a time."""
    offsets, masks, classes = [], [], []
    for label in labels:
        assigned = assign_anchor_to_bbox(label[:, 1:], anchors)
        mask = ((assigned >= 0).float().unsqueeze(-1)).repeat(1, 4)
        class_labels = torch.zeros(len(anchors), dtype=torch.long)
        boxes = torch.zeros((len(anchors), 4))
        rows = torch.nonzero(assigned >= 0)
        class_labels[rows] = label[assigned[rows], 0].long() + 1
        boxes[rows] = label[assigned[rows], 1:]
        anchor, box = to_center(anchors), to_center(boxes)
        shift = 10 * (box[:, :2] - anchor[:, :2]) / anchor[:, 2:]
        scale = 5 * torch.log(1e-6 + box[:, 2:] / anchor[:, 2:])
        offsets.append((torch.cat([shift, scale], dim=1) * mask).reshape(-1))
        masks.append(mask.reshape(-1))
        classes.append(class_labels)
    return torch.stack(offsets), torch.stack(masks), torch.stack(classes)


def down_sample_block(inputs, outputs):
    """Twice (convolution, batch norm, ReLU), then pooling."""
    layers = []
    for _ in range(2):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class TinySSD(nn.Module):
    """Section 13.7.1."""

    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        base = nn.Sequential(
            down_sample_block(3, 16), down_sample_block(16, 32), down_sample_block(32, 64)
        )
        blocks = [
            base,
            down_sample_block(64, 128),
            down_sample_block(128, 128),
            down_sample_block(128, 128),
            nn.AdaptiveMaxPool2d((1, 1)),
        ]
        channels = [64, 128, 128, 128, 128]
        self.blocks = nn.ModuleList(blocks)
        self.class_heads = nn.ModuleList(
            nn.Conv2d(c, ANCHORS_PER_CELL * (num_classes + 1), 3, padding=1) for c in channels
        )
        self.box_heads = nn.ModuleList(
            nn.Conv2d(c, ANCHORS_PER_CELL * 4, 3, padding=1) for c in channels
        )

    def forward(self, features):
        anchors, classes, boxes = [], [], []
        for level, block in enumerate(self.blocks):
            features = block(features)
            anchors.append(multibox_prior(*features.shape[-2:], SIZES[level], RATIOS[level]))
            classes.append(self.class_heads[level](features).permute(0, 2, 3, 1).flatten(1))
            boxes.append(self.box_heads[level](features).permute(0, 2, 3, 1).flatten(1))
        classes = torch.cat(classes, dim=1)
        classes = classes.reshape(len(classes), -1, self.num_classes + 1)
        return torch.cat(anchors), classes, torch.cat(boxes, dim=1)


class Trainer:
    """The book's training step on a fixed batch.

    Args:
        images: (B, H, W, 3) uint8; labels: (B, M, 5), class and xyxy.
        tuned: channels-last memory and bfloat16 autocast.
    """

    def __init__(self, images, labels, *, tuned=False):
        torch.manual_seed(0)
        self.tuned = tuned
        self.net = TinySSD(num_classes=1)
        self.images = torch.as_tensor(images).permute(0, 3, 1, 2).float()
        if tuned:
            self.net = self.net.to(memory_format=torch.channels_last)
        else:
            self.images = self.images.contiguous()
        self.labels = torch.as_tensor(labels)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.2, weight_decay=5e-4)

    def step(self):
        """Train one step and return the loss."""
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.tuned):
            anchors, classes, boxes = self.net(self.images)
        offsets, masks, targets = multibox_target(anchors, self.labels)
        class_loss = F.cross_entropy(
            classes.float().reshape(-1, 2), targets.reshape(-1), reduction="none"
        )
        class_loss = class_loss.reshape(len(boxes), -1).mean(dim=1)
        box_loss = F.l1_loss(boxes.float() * masks, offsets * masks, reduction="none").mean(dim=1)
        loss = (class_loss + box_loss).mean()
        loss.backward()
        self.optimizer.step()
        return float(loss)
